import type { Registrar } from "../command.js";
import { defineSetA2b } from "./set-a2b.js";
import { defineSetHost } from "./set-host.js";
import { defineSetLink } from "./set-link.js";

/** `zor set a2b|host|link`. */
export function define({ program, open }: Registrar): void {
  const set = program.command("set").description("Change what is there while it runs.").helpCommand(false);
  defineSetA2b(set, open);
  defineSetHost(set, open, "host");
  defineSetLink(set, open);
}
