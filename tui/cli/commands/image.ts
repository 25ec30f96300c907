import type { Command } from "commander";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { asChosen, type ChosenOptions, chosenNames } from "../chosen.js";
import {
  dryRunOption,
  outputOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  withExamples,
  yesOption,
} from "../command.js";
import { defineExport, defineImport } from "../image/files.js";
import { defineBuild, definePush, defineVerify } from "../image/operations.js";
import { definePrune, defineTag } from "../image/upkeep.js";
import { defineKindList } from "../noun-list.js";
import { resolveName } from "../resolve.js";
import { type DeletionOptions, deleteAll } from "./delete.js";
import { type DescribeOptions, describeAll } from "./describe.js";

/** `zor image import|export|list|inspect|tag|rm|prune|verify|push|build`. */
export function define({ program, open }: Registrar): void {
  const image = program
    .command("image")
    .description(
      "Bring images to hosts, copy, build, check and remove them. list, inspect and rm are get, describe and delete of the kind image.",
    )
    .helpCommand(false);
  defineImport(image, open);
  defineExport(image, open);
  defineKindList(image, open, "status.format = qcow2");
  defineInspect(image, open);
  defineTag(image, open);
  defineRemove(image, open);
  definePrune(image, open);
  defineVerify(image, open);
  definePush(image, open);
  defineBuild(image, open);
}

function defineInspect(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("inspect")
    .description("Show all that is known of images; the same as zor describe image.")
    .addArgument(new ResourceArgument("[names...]", "images", "image"));
  asChosen(command)
    .addOption(outputOption(["text", "json", "yaml", "name"], "text"))
    .action(async (names: string[], options: DescribeOptions) =>
      describeAll(open(command), kindNamed("image"), names, options),
    );
  withExamples(command, "zor image inspect alpha/debian", "zor image inspect alpha/debian -o yaml");
}

function defineRemove(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("rm")
    .description("Delete images that no instance uses; the same as zor delete image.")
    .addArgument(new ResourceArgument("[names...]", "images", "image"));
  asChosen(command)
    .addOption(yesOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: DeletionOptions & ChosenOptions) => {
      const session = open(command);
      const kind = kindNamed("image");
      const targets = [];
      for (const text of await chosenNames(session, kind, names, options))
        targets.push({ kind, name: await resolveName(session, kind, text, options.host) });
      await deleteAll(session, targets, options, "deleted");
    });
  withExamples(command, "zor image rm alpha/debian", "zor image rm alpha/old beta/old --yes");
}
