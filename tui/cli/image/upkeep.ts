import type { Command } from "commander";
import { notFound } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { ImageServiceService, UpdateImageRequest } from "../../../proto/gen/zor/v1/image_service.js";
import { formatBytes } from "../../kit/format.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import {
  dryRunOption,
  outputOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  withExamples,
  yesOption,
} from "../command.js";
import { confirm } from "../confirm.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";
import { onlyHost } from "./only-host.js";

interface TagOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly remove?: boolean;
  readonly dryRun?: boolean;
}

/** `zor image tag NAME TAG...`. */
export function defineTag(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("tag")
    .description("Give an image more tags: instances can name it as NAME:TAG. One that an instance uses stays.")
    .addArgument(new ResourceArgument("<name>", "the image", "image"))
    .argument("<tags...>", "the tags")
    .option("--host <host>", "the host of a name without one")
    .option("--remove", "take these tags away")
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, tags: string[], options: TagOptions) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("image"), text, options.host);
      const { image: before } = await session.call(ImageServiceService.getImage, { name });
      if (before === undefined) throw notFound(name);
      const old = before.spec?.tags ?? [];
      const now = options.remove === true ? old.filter((tag) => !tags.includes(tag)) : [...new Set([...old, ...tags])];
      const method = ImageServiceService.updateImage;
      const request = UpdateImageRequest.fromPartial({
        image: { name, etag: before.etag, spec: { tags: now } },
        updateMask: ["spec.tags"],
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      const response = await session.call(method, request);
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        const said = now.length === 0 ? "has no tags" : `has the tags ${now.join(", ")}`;
        return escapeText(`${shortName(name)} ${options.dryRun === true ? "could be changed; nothing was" : said}`);
      });
    });
  withExamples(command, "zor image tag alpha/debian 12 stable", "zor image tag alpha/debian 11 --remove");
}

interface PruneOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** `zor image prune`. */
export function definePrune(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("prune")
    .description("Delete the images of a host that no instance uses. What lies in image directories stays.")
    .option("--host <host>", "the host (default: the only one)")
    .addOption(yesOption())
    .addOption(dryRunOption("only list what would be deleted"))
    .addOption(outputOption(["text", "json", "yaml"], "text"))
    .action(async (options: PruneOptions) => {
      const session = open(command);
      const parent = await onlyHost(session, options.host);
      const method = ImageServiceService.pruneImages;
      const planned = await session.call(method, { parent, requestId: "", validateOnly: true });
      const size = formatBytes(planned.freedBytes);
      const names = planned.names.map((name) => `  image ${shortName(name)}`);
      if (options.dryRun === true || names.length === 0) {
        const text = names.length === 0 ? "nothing to delete" : [...names, `that frees ${size}`].join("\n");
        return await session.printResponse(options.output, method, planned, () => text);
      }
      if (!(await confirm(session, ["This deletes:", ...names], `Delete, and free ${size}?`, options))) return;
      const done = await session.call(method, { parent, requestId: session.requestId(), validateOnly: false });
      await session.printResponse(options.output, method, done, () =>
        escapeText(
          [...done.names.map((name) => `${shortName(name)} deleted`), `${formatBytes(done.freedBytes)} freed`].join(
            "\n",
          ),
        ),
      );
    });
  withExamples(command, "zor image prune --host alpha --dry-run", "zor image prune --host alpha --yes");
}
