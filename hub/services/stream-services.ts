import { invalidArgument } from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import { parseOnHost } from "../../lib/names.js";
import { ConsoleServiceService } from "../../proto/gen/zor/v1/console_service.js";
import { ExecServiceService } from "../../proto/gen/zor/v1/exec_service.js";
import { readFirst } from "../kit/first-message.js";
import type { Router } from "../kit/router.js";

/** Consoles, routed to the host of the instance that the first message names. */
export function consoleHandlers(router: Router): Handlers<typeof ConsoleServiceService> {
  return {
    async *attachConsole(requests, context) {
      const { first, all } = await readFirst(requests);
      if (first?.message?.$case !== "open") throw invalidArgument("open", "must be the first message");
      const { host } = parseOnHost("open.name", first.message.value.name, "instances");
      yield* router.bidi(ConsoleServiceService.attachConsole, host, all, context);
    },
  };
}

/** Commands inside instances, routed to the host of the instance that the first message names. */
export function execHandlers(router: Router): Handlers<typeof ExecServiceService> {
  return {
    async *exec(requests, context) {
      const { first, all } = await readFirst(requests);
      if (first?.message?.$case !== "start") throw invalidArgument("start", "must be the first message");
      const { host } = parseOnHost("start.name", first.message.value.name, "instances");
      yield* router.bidi(ExecServiceService.exec, host, all, context);
    },
  };
}
