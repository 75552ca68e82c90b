/** Reading SMBIOS strings from what `reg query` prints. */
import { describe, expect, test } from "vitest";
import { parseRegQuery, readWindowsRegistry } from "../../src/host/windows-registry.js";
import { fakeHost, regQueryOutput, type RunLog } from "./fake-host.js";
import { fc } from "../support/properties.js";

const KEY = "HKEY_LOCAL_MACHINE\\HARDWARE\\DESCRIPTION\\System\\BIOS";
const REGISTRY = "winreg/HKLM/HARDWARE/DESCRIPTION/System/BIOS/";

describe("parseRegQuery", () => {
  test.each([
    ["a string with spaces", `\r\n${KEY}\r\n    SystemManufacturer    REG_SZ    Amazon EC2\r\n`, ["Amazon EC2"]],
    ["line feeds only", `${KEY}\n    SystemManufacturer    REG_SZ    Amazon EC2\n`, ["Amazon EC2"]],
    ["another case of name and key", `${KEY.toLowerCase()}\r\n    systemmanufacturer    REG_SZ    Xen\r\n`, ["Xen"]],
    ["an expandable string", `${KEY}\r\n    SystemManufacturer    REG_EXPAND_SZ    Xen\r\n`, ["Xen"]],
    ["an empty string", `${KEY}\r\n    SystemManufacturer    REG_SZ    \r\n`, [""]],
    ["an empty string whose separator was trimmed", `${KEY}\r\n    SystemManufacturer    REG_SZ\r\n`, [""]],
    [
      "four spaces inside the data",
      `${KEY}\r\n    SystemManufacturer    REG_SZ    a    REG_SZ    b\r\n`,
      ["a    REG_SZ    b"],
    ],
    ["a number", `${KEY}\r\n    SystemManufacturer    REG_DWORD    0x1\r\n`, undefined],
    ["a value of another key", `${KEY}\\Other\r\n    SystemManufacturer    REG_SZ    Amazon EC2\r\n`, undefined],
    [
      "a value after another key",
      `${KEY}\r\n\r\n${KEY}\\Other\r\n    SystemManufacturer    REG_SZ    Amazon EC2\r\n`,
      undefined,
    ],
    ["a key that ends in blanks", `${KEY}  \r\n    SystemManufacturer    REG_SZ    Amazon EC2\r\n`, ["Amazon EC2"]],
    [
      "a line that names a key further on",
      `${KEY}\r\n    Note    REG_SZ    HKEY_USERS\r\n    SystemManufacturer    REG_SZ    Xen\r\n`,
      ["Xen"],
    ],
    ["a value that is set in further", `${KEY}\r\n     SystemManufacturer    REG_SZ    Amazon EC2\r\n`, undefined],
    ["a value before any key", `    SystemManufacturer    REG_SZ    Amazon EC2\r\n`, undefined],
    ["an error text", "ERROR: The system was unable to find the specified registry key or value.\r\n", undefined],
    [
      "two values of one name",
      `${KEY}\r\n    SystemManufacturer    REG_SZ    A\r\n    SystemManufacturer    REG_SZ    B\r\n`,
      ["A", "B"],
    ],
  ])("%s", (_what, stdout, expected) => {
    expect(parseRegQuery(stdout).get("systemmanufacturer")).toEqual(expected);
  });

  test("gives back what was printed", () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,20}$/);
    const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,60}[!-~])?)?$/);
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key.toLowerCase() }), (pairs) => {
        const parsed = parseRegQuery(regQueryOutput(pairs));
        expect([...parsed]).toEqual(pairs.map(([key, text]) => [key.toLowerCase(), [text]]));
      }),
    );
  });

  test("survives arbitrary bytes", () => {
    const noise = fc.array(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(`${KEY}\r\n`, "    a    REG_SZ    b\r\n", "    ")),
    );
    fc.assert(fc.property(noise, (parts) => void parseRegQuery(parts.join(""))));
  });
});

describe("readWindowsRegistry", () => {
  test("runs one child process, by its full path", async () => {
    const log: RunLog = [];
    await readWindowsRegistry(fakeHost({ platform: "win32", files: { "env/SystemRoot": "D:\\WINNT" } }, log));
    expect(log).toEqual(["D:\\WINNT\\System32\\reg.exe query HKLM\\HARDWARE\\DESCRIPTION\\System\\BIOS"]);
  });

  test.each([["relative"], ["\\\\host\\share"], [""], ["\\\\?\\D:\\WINNT"], ["D:\\WIN|NT"]])(
    "does not follow SystemRoot to %j",
    async (root) => {
      const log: RunLog = [];
      await readWindowsRegistry(fakeHost({ platform: "win32", files: { "env/SystemRoot": root } }, log));
      expect(log[0]).toMatch(/^C:\\Windows\\System32\\reg\.exe /);
    },
  );

  test("tells present, empty and absent apart", async () => {
    const files = { [`${REGISTRY}SystemManufacturer`]: "Amazon EC2", [`${REGISTRY}SystemVersion`]: "" };
    const facts = await readWindowsRegistry(fakeHost({ platform: "win32", files }));
    expect(facts.sysVendor).toMatchObject({ status: "present", value: "Amazon EC2" });
    expect(facts.productVersion).toMatchObject({ status: "empty" });
    expect(facts.biosVendor).toMatchObject({ status: "absent" });
    expect(facts).not.toHaveProperty("productUuid");
  });

  test("calls everything unreadable when the command fails or cannot be started", async () => {
    const system = fakeHost({ platform: "win32", files: {} });
    const failed = await readWindowsRegistry({
      ...system,
      run: () => Promise.resolve({ kind: "failed", reason: "1" }),
    });
    expect(failed.sysVendor).toMatchObject({ status: "unreadable", why: "reg query: 1" });
    const thrown = Object.assign(new Error("no"), { code: "ERR_ACCESS_DENIED" });
    const denied = await readWindowsRegistry({ ...system, run: () => Promise.reject(thrown) });
    expect(denied.sysVendor).toMatchObject({ status: "unreadable", why: "reg query: ERR_ACCESS_DENIED" });
  });

  test("reads a value that is listed twice as neither", async () => {
    const stdout = `${KEY}\r\n    SystemManufacturer    REG_SZ    Amazon EC2\r\n    SystemManufacturer    REG_SZ    QEMU\r\n`;
    const system = fakeHost({ platform: "win32", files: {} });
    const facts = await readWindowsRegistry({ ...system, run: () => Promise.resolve({ kind: "output", stdout }) });
    expect(facts.sysVendor).toMatchObject({ status: "unreadable", why: "listed with different values" });
  });
});
