import type { Registrar } from "../command.js";
import { defineCreateA2b } from "./create-a2b.js";
import { defineCreateInstance } from "./create-instance.js";
import { defineCreateLan } from "./create-lan.js";
import { defineCreateLink } from "./create-link.js";

/** `zor create instance|lan|link|a2b`. */
export function define({ program, open }: Registrar): void {
  const create = program
    .command("create")
    .description("Create an instance, a lan, a link or an in-line box.")
    .helpCommand(false);
  defineCreateInstance(create, open);
  defineCreateLan(create, open);
  defineCreateLink(create, open);
  defineCreateA2b(create, open);
}
