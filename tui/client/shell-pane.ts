import { unavailable } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  type OpenShellRequest,
  type ShellExit,
  type ShellOpen,
  ShellServiceService,
} from "../../proto/gen/zor/v1/shell_service.js";
import type { PaneConsole, PaneRequest } from "./console-pane.js";
import { PaneInput } from "./pane-input.js";

/** What a part of the screen can do, for programs in the shell. */
const terminal = "xterm-256color";

/** Opens a shell on "hosts/{host}" for a part of the screen. One that is lost is gone: its agent has ended it. */
export function openPaneShell(connection: Connection, name: string, request: PaneRequest): PaneConsole {
  const { signal, listener } = request;
  const input = new PaneInput<ShellOpen, OpenShellRequest>(request.size, (message) => ({ message }));
  const follow = async (): Promise<string> => {
    const requests = input.begin({ name, command: [], size: input.size, terminal });
    try {
      for await (const { message } of connection.bidi(ShellServiceService.openShell, requests, { signal })) {
        if (message?.$case === "opened") listener.onOpened({ writable: true, missing: false, others: [] });
        if (message?.$case === "data") await listener.onData(message.value);
        if (message?.$case === "exit") return endOf(message.value);
      }
    } catch (error) {
      if (signal.aborted) return "";
      throw error;
    }
    throw unavailable("SHELL_LOST", name, "the connection ended before the shell did; its agent ends it");
  };
  return {
    send: (data) => input.type(Buffer.from(data)),
    resize: (size) => input.resize(size),
    ended: follow().finally(() => input.end()),
  };
}

function endOf({ reason, code }: ShellExit): string {
  if (reason !== "") return reason;
  return code === 0 ? "the shell ended" : `the shell ended with ${code}`;
}
