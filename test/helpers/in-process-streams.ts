import type { Handlers } from "../../lib/grpc/service.js";
import { AttachConsoleResponse, type ConsoleServiceService } from "../../proto/gen/zor/v1/console_service.js";
import type { ExecServiceService } from "../../proto/gen/zor/v1/exec_service.js";

/** A console that greets and echoes, and closes when it is told "exit". */
export const consoles: Handlers<typeof ConsoleServiceService> = {
  attachConsole: async function* (requests) {
    for await (const { message } of requests) {
      if (message?.$case === "open") {
        yield AttachConsoleResponse.fromPartial({ message: { $case: "opened", value: { writable: true } } });
        yield AttachConsoleResponse.fromPartial({ message: { $case: "data", value: Buffer.from("\x1b[32mlogin: ") } });
      }
      if (message?.$case !== "data") continue;
      yield AttachConsoleResponse.fromPartial({ message: { $case: "data", value: message.value } });
      if (message.value.toString().includes("exit")) break;
    }
    yield AttachConsoleResponse.fromPartial({
      message: { $case: "closed", value: { reason: "the instance stopped" } },
    });
  },
};

/** Runs nothing: prints the arguments, echoes standard input, and ends with the number after "exit" or "cut", of which the latter loses output. */
export const execs: Handlers<typeof ExecServiceService> = {
  exec: async function* (requests) {
    let code = 0;
    let truncated = false;
    for await (const { message } of requests) {
      if (message?.$case === "start") {
        const [program = "", argument = "0"] = message.value.command;
        truncated = program === "cut";
        if (program === "exit" || truncated) code = Number(argument);
        yield { message: { $case: "stdout", value: Buffer.from(`${message.value.command.join("|")}\n`) } };
        yield { message: { $case: "stderr", value: Buffer.from("warned\x1b[31m\n") } };
        if (!message.value.stdin) break;
      }
      if (message?.$case === "stdin") yield { message: { $case: "stdout", value: message.value } };
      if (message?.$case === "stdinEnd") break;
    }
    yield { message: { $case: "exit", value: { code, signal: 0, truncated } } };
  },
};
