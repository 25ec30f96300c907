import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { AttachConsoleRequest, ConsoleServiceService } from "../../../proto/gen/zor/v1/console_service.js";
import { type ExecRequest, ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { ApiFixture, nameOf } from "./api-fixture.js";

let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(() => api.close());

describe("consoles", () => {
  async function* typing(...data: string[]) {
    const value = { name: nameOf("c1"), replayBytes: 100 };
    yield AttachConsoleRequest.fromPartial({ message: { $case: "open", value } });
    for (const text of data) yield { message: { $case: "data" as const, value: Buffer.from(text) } };
  }

  async function read(connection: Connection, requests: ReturnType<typeof typing>, until: string): Promise<string> {
    let text = "";
    for await (const { message } of connection.bidi(ConsoleServiceService.attachConsole, requests, {
      timeoutMs: 60_000,
    })) {
      if (message?.$case === "opened") text += message.value.writable ? "[writable]" : "[read only]";
      if (message?.$case === "data") text += message.value.toString();
      if (text.includes(until)) return text;
    }
    return text;
  }

  it("carry bytes both ways for operators and only show them to viewers", async () => {
    await api.make("c1");
    expect(await read(api.operator, typing("ls\n"), "ls\n")).toBe("[writable]login: typed: ls\n");
    const viewer = api.connect(await api.pki.user("vic", Role.ROLE_VIEWER));
    expect(await read(viewer, typing(), "login: ")).toBe("[read only]login: typed: ls\n");
    await expect(read(viewer, typing("rm\n"), "rm")).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it("replay nothing that makes a terminal answer, and leave what comes now as it is", async () => {
    await api.make("c1");
    api.driver.consolePast = "before \x1b[6n\x1b[c\u009b5n\x05\x1b]11;?\x07\x1bP$qm\x1b\\\x1b[31mred";
    expect(await read(api.operator, typing("\x1b[6n."), ".")).toBe("[writable]before \x1b[31mredtyped: \x1b[6n.");
  });

  it("are closed when the client goes, though the machine is silent", async () => {
    await api.make("c1");
    const opened = api.operator.bidi(ConsoleServiceService.attachConsole, typing());
    for await (const { message } of opened) {
      if (message?.$case !== "data") continue;
      expect(api.driver.openConsoles.size).toBe(1);
      break;
    }
    await expect.poll(() => api.driver.openConsoles.size).toBe(0);
  });

  it("are refused for an instance that does not run", async () => {
    await api.make("c1", { leaveStopped: true });
    await expect(read(api.operator, typing(), "login")).rejects.toMatchObject({ reason: "INSTANCE_NOT_RUNNING" });
  });
});

describe("exec", () => {
  const begin = (command: string[], stdin = false): ExecRequest => ({
    message: {
      $case: "start",
      value: ExecStart.fromPartial({ name: nameOf("c1"), command, stdin }),
    },
  });

  async function exec(...messages: ExecRequest[]): Promise<string[]> {
    async function* requests() {
      yield* messages;
    }
    const seen: string[] = [];
    for await (const { message } of api.operator.bidi(ExecServiceService.exec, requests(), { timeoutMs: 60_000 })) {
      seen.push(
        message?.$case === "exit" ? `exit ${message.value.code}` : `${message?.$case} ${message?.value.toString()}`,
      );
    }
    return seen;
  }

  it("runs a command with its input and gives output and exit code", async () => {
    await api.make("c1");
    const input: ExecRequest = { message: { $case: "stdin", value: Buffer.from("in") } };
    const end: ExecRequest = { message: { $case: "stdinEnd", value: {} } };
    expect(await exec(begin(["cat", "-"], true), input, input, end)).toEqual([
      "stdout cat -",
      "stderr in",
      "stderr in",
      "exit 3",
    ]);
  });

  it.each([
    ["no command", begin([]), "start.command"],
    ["a NUL", begin(["a", "b\0c"]), "start.command[1]"],
    ["too long a command", begin(["x".repeat(70_000)]), "start.command"],
    ["another message first", { message: { $case: "stdinEnd", value: {} } } as ExecRequest, "start"],
  ])("refuses %s", async (_, message, field) => {
    await api.make("c1");
    await expect(exec(message)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [expect.objectContaining({ field })],
    });
  });
});
