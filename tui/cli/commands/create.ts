import type { Registrar } from "../command.js";
import { defineCreateInstance } from "./create-instance.js";
import { defineCreateLan } from "./create-lan.js";
import { defineCreateLink } from "./create-link.js";

/** `zor create instance|lan|link`. */
export function define({ program, open }: Registrar): void {
  const create = program.command("create").description("Create an instance, a lan or a link.").helpCommand(false);
  defineCreateInstance(create, open);
  defineCreateLan(create, open);
  defineCreateLink(create, open);
}
