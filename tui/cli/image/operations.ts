import type { Command } from "commander";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { BuildImageRequest, ImageServiceService, PushImageRequest } from "../../../proto/gen/zor/v1/image_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { parseBytesPerSecond } from "../../kit/input/rate.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asChosen, type ChosenOptions, chosenNames } from "../chosen.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
} from "../command.js";
import { forEachName } from "../for-each-name.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { onlyHost } from "./only-host.js";

interface WorkOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

/** The operation as it is told: when it has ended, unless nobody waits. */
async function followed(
  session: Session,
  operation: Operation | undefined,
  title: string,
  { wait, dryRun }: Pick<WorkOptions, "wait" | "dryRun">,
): Promise<Operation | undefined> {
  return wait && dryRun !== true ? session.follow(operation, title) : operation;
}

function outcome({ wait, dryRun }: Pick<WorkOptions, "wait" | "dryRun">, verb: string, done: string): string {
  if (dryRun === true) return `could be ${verb}; nothing was changed`;
  return wait ? done : `is being ${verb}`;
}

/** `zor image verify NAME...`. */
export function defineVerify(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("verify")
    .description(
      "Read images whole and compare them with their digests. A damaged one is marked: nothing starts from it.",
    )
    .addArgument(new ResourceArgument("[names...]", "images", "image"));
  asChosen(command)
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: WorkOptions & ChosenOptions) => {
      const session = open(command);
      const method = ImageServiceService.verifyImage;
      const chosen = await chosenNames(session, kindNamed("image"), names, options);
      await forEachName(session, chosen, options.output, async (text, part) => {
        const name = await resolveName(session, kindNamed("image"), text, options.host);
        const request = { name, requestId: session.requestId(part), validateOnly: options.dryRun === true };
        const begun = await session.call(method, request);
        const operation = await followed(session, begun.operation, `verifying ${shortName(name)}`, options);
        await session.printResponse(options.output, method, { operation }, () =>
          escapeText(
            options.output === "name" ? name : `${shortName(name)} ${outcome(options, "verified", "is whole")}`,
          ),
        );
      });
    });
  withExamples(command, "zor image verify alpha/debian", "zor image verify alpha/debian beta/debian");
}

/** `zor image push NAME HOST...`. */
export function definePush(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("push")
    .description(
      "Copy an image to other hosts, directly where they reach each other, else through the hub. Only what they lack is sent, and a push that was cut off goes on where it was. Ctrl-C cancels it and leaves nothing half done.",
    )
    .addArgument(new ResourceArgument("<name>", "the image", "image"))
    .addArgument(new ResourceArgument("<hosts...>", "where to", "host"))
    .option("--host <host>", "the host of a name without one")
    .option("--as <name>", "name of the image there (default: the same)")
    .option("--limit <rate>", "most bytes a second, such as 10M")
    .option("--through-hub", "send everything through the hub")
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(
      async (
        text: string,
        hosts: string[],
        options: WorkOptions & { readonly as?: string; readonly limit?: string; readonly throughHub?: boolean },
      ) => {
        const session = open(command);
        const name = await resolveName(session, kindNamed("image"), text, options.host);
        const targets = hosts.map((host) => `hosts/${parseId("hosts", host.replace(/^hosts\//, ""))}`);
        const rate = options.limit === undefined ? 0 : parseBytesPerSecond("--limit", options.limit);
        const method = ImageServiceService.pushImage;
        const request = PushImageRequest.fromPartial({
          ...{ name, targets, bytesPerSecond: BigInt(rate), requestId: session.requestId() },
          imageId: options.as === undefined ? "" : parseId("--as", options.as),
          throughHub: options.throughHub === true,
          validateOnly: options.dryRun === true,
        });
        const begun = await session.call(method, request);
        const operation = await followed(session, begun.operation, `pushing ${shortName(name)}`, options);
        const where = listed(targets.map(shortName), 8);
        await session.printResponse(options.output, method, { operation }, () =>
          escapeText(
            options.output === "name"
              ? name
              : `${shortName(name)} ${outcome(options, `pushed to ${where}`, `is on ${where}`)}`,
          ),
        );
      },
    );
  withExamples(
    command,
    "zor image push alpha/debian beta gamma",
    "zor image push alpha/debian beta --limit 10M --as deb12",
  );
}

/** `zor image build RECIPE`. */
export function defineBuild(image: Command, open: Registrar["open"]): void {
  const command = image
    .command("build")
    .description(
      "Make an image on a host from a recipe that lies in a recipe directory of its agent (recipeDirs in the agent's settings).",
    )
    .argument("<recipe>", "name of the recipe, such as debian")
    .option("--host <host>", "the host (default: the only one)")
    .option("--name <name>", "name of the image (default: that of the recipe)")
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (recipe: string, options: WorkOptions & { readonly name?: string }) => {
      const session = open(command);
      const parent = await onlyHost(session, options.host);
      const imageId = parseId("--name", options.name ?? recipe);
      const method = ImageServiceService.buildImage;
      const request = BuildImageRequest.fromPartial({
        ...{ parent, imageId, recipe, requestId: session.requestId(), validateOnly: options.dryRun === true },
      });
      const begun = await session.call(method, request);
      const name = `${shortName(parent)}/${imageId}`;
      const operation = await followed(session, begun.operation, `building ${name}`, options);
      await session.printResponse(options.output, method, { operation }, () =>
        escapeText(
          options.output === "name" ? `${parent}/images/${imageId}` : `${name} ${outcome(options, "built", "built")}`,
        ),
      );
    });
  withExamples(command, "zor image build debian --host alpha", "zor image build frr --host alpha --name router");
}
