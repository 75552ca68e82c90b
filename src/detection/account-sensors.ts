/**
 * What Zeek and Suricata run to log the keys of foreign accounts: key id and host, and Zeek the account. Neither asks for a
 * signature to be logged; what else Suricata logs with an alert is for its configuration to say.
 */
import { anyOf, partsByKey } from "./account-parts.js";

/** A script for Zeek 4 and later: it writes `aws_foreign_keys.log`. */
export function zeekScript(accounts: readonly string[]): string {
  const own = accounts.map((account) => `"${account}"`).join(", ");
  return `##! Logs requests that are signed with AWS access keys of accounts that are not listed: key id, account and host.
##! Nothing of a signature is kept. Zeek sees headers only of plain or decrypted HTTP.
@load base/protocols/http

module AWSForeignKeys;

export {
    redef enum Log::ID += { LOG };

    ## Accounts of one's own.
    const own_accounts: set[string] = { ${own} } &redef;

    type Info: record {
        ts: time &log;
        uid: string &log;
        id: conn_id &log;
        host: string &log &optional;
        method: string &log &optional;
        key_id: string &log;
        account: string &log;
        form: string &log;
    };
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

# The account that a key id tells, or "" for one from before about 2019.
function account_of(key: string): string
    {
    local first = strstr(letters, key[4]);
    if ( first < 17 )
        return "";
    local number: count = first - 17;
    local at = 5;
    while ( at < 12 )
        {
        number = number * 32 + strstr(letters, key[at]) - 1;
        ++at;
        }
    number = number * 2 + ( strstr(letters, key[12]) > 16 ? 1 : 0 );
    if ( number > 999999999999 )
        return "";
    return fmt("%012d", number);
    }

function look(c: connection, text: string, form: string)
    {
    local found = match_pattern(text, /(AKIA|ASIA)[A-Z2-7]{16}/);
    if ( ! found$matched )
        return;
    local account = account_of(found$str);
    if ( account == "" || account in own_accounts )
        return;
    local info = Info($ts=network_time(), $uid=c$uid, $id=c$id, $key_id=found$str, $account=account, $form=form);
    if ( c?$http && c$http?$host )
        info$host = c$http$host;
    if ( c?$http && c$http?$method )
        info$method = c$http$method;
    Log::write(LOG, info);
    }

event zeek_init()
    {
    Log::create_stream(LOG, [$columns=Info, $path="aws_foreign_keys"]);
    }

event http_header(c: connection, is_orig: bool, name: string, value: string)
    {
    if ( is_orig && name == "AUTHORIZATION" )
        look(c, value, "header");
    }

event http_request(c: connection, method: string, original_URI: string, unescaped_URI: string, version: string)
    {
    if ( /X-Amz-Credential=|AWSAccessKeyId=/ in unescaped_URI )
        look(c, unescaped_URI, "presigned");
    }
`;
}

const FIRST_RULE_ID = 1_690_101;
const HOST = 'http.host; pcre:"/^(?P<flow_aws_host>[A-Za-z0-9.-]{1,253})/";';

/**
 * Rules for Suricata 6 and later, with ids from 1690101 on. Key id and host are kept as the flow variables `aws_key_id` and
 * `aws_host`, which EVE logs with the alert; unless `app-layer` is off it logs the URL beside them, and so the signature in it. As Suricata takes no rule of more than 8 kB, those for many accounts are several, each of which
 * judges the keys with certain first letters.
 */
export function suricataRules(accounts: readonly string[]): string {
  let id = FIRST_RULE_ID;
  const rule = (message: string, matches: string, priority: number): string =>
    `alert http any any -> any any (msg:"${message}"; flow:established,to_server; ${matches} ${HOST} ` +
    `classtype:policy-violation; priority:${priority}; reference:url,aws.amazon.com/security/security-bulletins/AWS-2025-021/; ` +
    `sid:${id++}; rev:1;)`;
  const rules = partsByKey([...new Set(accounts)].sort()).flatMap((part) => {
    const own = part.own.length === 0 ? "" : `(?!A[KS]IA(?:${part.own.join("|")}))`;
    const foreign = `${own}(?P<flow_aws_key_id>A[KS]IA(?=${anyOf(part.prefixes)})[A-Z2-7]{16})(?![A-Z0-9])`;
    return [
      rule(
        "Request signed with AWS access key of foreign account",
        `http.header; content:"Credential="; pcre:"/Credential=${foreign}/";`,
        1,
      ),
      rule(
        "Request signed by version 2 with AWS access key of foreign account",
        `http.header; content:"Authorization|3a| AWS A"; nocase; pcre:"/^Authorization: AWS (?-i)${foreign}:/im";`,
        1,
      ),
      rule(
        "Upload to presigned URL of foreign AWS account",
        `http.method; pcre:"/^(?:PUT|POST)$/"; http.uri; content:"X-Amz-Credential="; nocase; pcre:"/X-Amz-Credential=(?-i)${foreign}/i";`,
        2,
      ),
    ];
  });
  return [
    "# Requests signed with AWS access keys of accounts that are not listed. The alert holds key id and host (flowvars).",
    "# In eve-log, types, alert, metadata: set `app-layer: false`, or the URL is logged with the signature of a presigned URL;",
    "# and do not let EVE log the header Authorization (dump-all-headers).",
    ...rules,
    "",
  ].join("\n");
}
