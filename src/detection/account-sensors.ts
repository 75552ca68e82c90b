/** What Zeek and Suricata run to log the keys of foreign accounts: key id, account and host, and never a signature. */
import { startOfKeyIds } from "../aws/access-key.js";

/** One expression of Suricata holds no more accounts. */
const MOST_IN_EXPRESSION = 1_024;

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

/**
 * Rules for Suricata 6 and later, with ids from 1690101 on. The key id is kept as the flow variable
 * `aws_key_id`, which EVE logs with the alert.
 */
export function suricataRules(accounts: readonly string[]): string {
  const starts = accounts.map(startOfKeyIds);
  const lookaheads: string[] = [];
  for (let at = 0; at < starts.length; at += MOST_IN_EXPRESSION)
    lookaheads.push(`(?!A[KS]IA(?:${starts.slice(at, at + MOST_IN_EXPRESSION).join("|")}))`);
  const foreign = `${lookaheads.join("")}(?P<flow_aws_key_id>A[KS]IA[Q-Z2-7][A-Z2-7]{15})`;
  const rule = (message: string, matches: string, priority: number, index: number): string =>
    `alert http any any -> any any (msg:"${message}"; flow:established,to_server; ${matches} ` +
    `classtype:policy-violation; priority:${priority}; reference:url,aws.amazon.com/security/security-bulletins/AWS-2025-021/; ` +
    `sid:${FIRST_RULE_ID + index}; rev:1;)`;
  return [
    "# Requests signed with AWS access keys of accounts that are not listed. Do not let EVE log the header Authorization itself.",
    rule(
      "Request signed with AWS access key of foreign account",
      `http.header; content:"Credential="; pcre:"/Credential=${foreign}/";`,
      1,
      0,
    ),
    rule(
      "Upload to presigned URL of foreign AWS account",
      `http.method; pcre:"/^(?:PUT|POST)$/"; http.uri; content:"X-Amz-Credential="; nocase; pcre:"/X-Amz-Credential=${foreign}/i";`,
      2,
      1,
    ),
    "",
  ].join("\n");
}
