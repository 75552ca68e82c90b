/** Users and groups of this host, as its own database and whatever stands behind it have them. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { DEFAULT_UID_MIN } from "./rules.js";
import type { Names } from "./rules-file.js";

/** Looks users up, by name and by number. */
export interface Accounts extends Names {
  readonly userName: (uid: number) => string | undefined;
  /** Primary group and the others. */
  readonly groupsOf: (uid: number) => readonly number[];
  /** The first number of ordinary users: `UID_MIN` of /etc/login.defs, else 1000. */
  readonly uidMin: number;
  /** Users with a number of ordinary users and a shell, by name. */
  readonly people: readonly string[];
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
}

const MAX_REMEMBERED = 1_024;
const TIMEOUT_MS = 2_000;

/** Reads the database once; users that are not in the files are asked of `getent` when they are met, and remembered. */
export function readAccounts(etc = "/etc"): Accounts {
  const users = new Map<number, User>();
  const byName = new Map<string, User>();
  const add = (user: User | undefined): User | undefined => {
    if (user === undefined || byName.size >= MAX_REMEMBERED * 64) return user;
    if (!users.has(user.uid)) users.set(user.uid, user);
    if (!byName.has(user.name)) byName.set(user.name, user);
    return user;
  };
  for (const line of textOf(`${etc}/passwd`).split("\n")) add(userOf(line));
  const groups = textOf(`${etc}/group`).split("\n").flatMap(groupOf);
  const asked = new Map<string, string>();
  const getent = (database: "passwd" | "group", key: string): string => {
    const question = `${database} ${key}`;
    let answer = asked.get(question);
    if (answer === undefined && asked.size < MAX_REMEMBERED && /^[\w.@+-]+$/.test(key) && !key.startsWith("-")) {
      answer = ask(database, key);
      asked.set(question, answer);
    }
    return answer ?? "";
  };
  const byUid = (uid: number): User | undefined => users.get(uid) ?? add(userOf(getent("passwd", String(uid))));
  const uidMin = Number(/^\s*UID_MIN\s+(\d+)/m.exec(textOf(`${etc}/login.defs`))?.[1] ?? DEFAULT_UID_MIN);
  return {
    uidOf: (name) => (byName.get(name) ?? add(userOf(getent("passwd", name))))?.uid,
    gidOf: (name) => (groups.find((group) => group.name === name) ?? groupOf(getent("group", name))[0])?.gid,
    userName: (uid) => byUid(uid)?.name,
    groupsOf(uid) {
      const user = byUid(uid);
      if (user === undefined) return [];
      const others = groups.filter(({ members }) => members.includes(user.name)).map(({ gid }) => gid);
      return [...new Set([user.gid, ...others])];
    },
    uidMin,
    people: [...users.values()]
      .filter(({ uid, shell }) => uid >= uidMin && uid < 60_000 && !/(?:nologin|false)$/.test(shell))
      .map(({ name }) => name),
  };
}

function userOf(line: string): User | undefined {
  const [name = "", , uid = "", gid = "", , , shell = ""] = line.trim().split(":");
  return name !== "" && /^\d+$/.test(uid) && /^\d+$/.test(gid)
    ? { name, uid: Number(uid), gid: Number(gid), shell }
    : undefined;
}

function groupOf(line: string): readonly { name: string; gid: number; members: readonly string[] }[] {
  const [name = "", , gid = "", members = ""] = line.trim().split(":");
  return name !== "" && /^\d+$/.test(gid) ? [{ name, gid: Number(gid), members: members.split(",") }] : [];
}

function ask(database: string, key: string): string {
  try {
    return execFileSync("getent", [database, key], {
      encoding: "utf8",
      timeout: TIMEOUT_MS,
      maxBuffer: 64 * 1024,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    // No such entry, or no such program.
    return "";
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
