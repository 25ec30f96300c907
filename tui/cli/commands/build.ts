import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { failedPrecondition, ZorError } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId } from "../../../lib/names.js";
import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { BuildImageRequest, ImageServiceService } from "../../../proto/gen/zor/v1/image_service.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { parseDurationMs } from "../../kit/input/durations.js";
import type { FlagValues } from "../../kit/kind-commands.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { instanceCommands, instanceSpec } from "../../kinds/instance/flags.js";
import { instanceStateName } from "../../kinds/instance/states.js";
import { flagOption, noWaitOption, type Registrar, responseOutput, waitOption, withExamples } from "../command.js";
import { getResource } from "../kinds.js";
import { parseNewName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface BuildOptions {
  readonly output: OutputFormat;
  readonly from: string;
  readonly imageName?: string;
  readonly wait: boolean;
  readonly within: string;
}

/** The built-in image: there is no recipe for it, and machines boot its kernel. */
const builtIn = "micro";
/** A system that was installed needs more than the built-in one. */
const diskMemory = "512M";
const lookMs = 500;
/** Said by the image and the recipe. */
const ownFlags = new Set(["--image", "--rootfs", "--kernel", "--initrd"]);

/** `zor build NAME --from RECIPE`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("build")
    .description(
      "Make a machine or a container from a recipe: the image is built on the host unless it is there, the instance made from it and started, and its agent waited for.",
    )
    .argument("<name>", "HOST/NAME of the new instance")
    .argument("[command...]", "after --: what a container runs instead of /init")
    .requiredOption("--from <recipe>", "name of a recipe of the host, such as debian; or micro, the built-in image")
    .option("--image-name <name>", "name of the image, also of one that is there (default: that of the recipe)");
  for (const flag of instanceCommands.create?.flags ?? [])
    if (!ownFlags.has(flag.flags.split(" ")[0] ?? "") && flag.besides !== true) command.addOption(flagOption(flag));
  command
    .addOption(waitOption())
    .addOption(noWaitOption("do not wait until commands can be run in it"))
    .option("--within <time>", "how long that is waited for", "5m")
    .addOption(responseOutput())
    .action(async (text: string, words: string[]) => {
      await build(open(command), text, { words, options: command.opts<BuildOptions>(), values: command.opts() });
    });
  withExamples(
    command,
    "zor build alpha/web --from debian --memory 1G --persistent --nic lan=lan1",
    "zor build alpha/r1 --from frr --cap-add SYS_ADMIN --sysctl net.ipv4.ip_forward=1 --nic lan=lan1",
    "zor build alpha/vm1 --from micro",
  );
}

async function build(
  session: Session,
  text: string,
  { words, options, values }: { words: readonly string[]; options: BuildOptions; values: FlagValues },
): Promise<void> {
  const { name, id, parent } = parseNewName(text, kindNamed("instance"));
  const timeoutMs = parseDurationMs("--within", options.within);
  const recipe = parseId("--from", options.from);
  const imageId = parseId("--image-name", options.imageName ?? recipe);
  const image = recipe === builtIn ? undefined : await ensureImage(session, { parent, recipe, imageId });
  const spec = instanceSpec(imageFlags(image, imageId, { values, words }));
  const method = InstanceServiceService.createInstance;
  const request = CreateInstanceRequest.fromPartial({
    ...{ parent, instanceId: id, instance: { spec }, requestId: session.requestId(1) },
  });
  const begun = await session.call(method, request);
  const operation = await session.follow(begun.operation, `creating ${shortName(name)}`);
  if (options.wait) await waitForAgent(session, name, timeoutMs);
  const done = options.wait ? "is there, and commands can be run in it" : "created and started";
  await session.printResponse(options.output, method, { operation }, () =>
    escapeText(options.output === "name" ? name : `instance ${shortName(name)} ${done}`),
  );
}

async function ensureImage(
  session: Session,
  { parent, recipe, imageId }: { readonly parent: string; readonly recipe: string; readonly imageId: string },
): Promise<Image> {
  const name = `${parent}/images/${imageId}`;
  const find = async (): Promise<Image | undefined> => {
    const found = await getResource(await session.connect(), kindNamed("image"), name, session.readOptions());
    // Whatever is found as an image is one.
    return found?.value as Image | undefined;
  };
  const there = await find().catch((error: unknown) => {
    if (error instanceof ZorError && error.code === status.NOT_FOUND) return undefined;
    throw error;
  });
  if (there !== undefined) {
    session.note(escapeText(`the image ${shortName(name)} is there (${there.status?.origin ?? ""})`));
    return there;
  }
  const request = BuildImageRequest.fromPartial({ parent, imageId, recipe, requestId: session.requestId(0) });
  const { operation } = await session.call(ImageServiceService.buildImage, request);
  await session.follow(operation, `building ${shortName(name)}`);
  const made = await find();
  if (made !== undefined) return made;
  throw failedPrecondition("IMAGE_GONE", name, `${name} was deleted just after it had been built; try again`);
}

/** The flags that say what an instance is made of, by what the image is. */
function imageFlags(
  image: Image | undefined,
  imageId: string,
  { values, words }: { readonly values: FlagValues; readonly words: readonly string[] },
): { values: FlagValues; words: readonly string[] } {
  if (image === undefined) {
    const isContainer = values["driver"] === "crun" || words.length > 0;
    return { values: { ...values, [isContainer ? "rootfs" : "kernel"]: builtIn }, words };
  }
  const format = image.status?.format ?? "";
  if (format === "qcow2" || format === "raw") {
    return { values: { memory: diskMemory, ...values, image: [imageId] }, words };
  }
  if (format === "tar" || format === "oci" || format === "directory") {
    // An archive of files says nothing of how it is run; our recipes have an /init.
    return {
      values: { ...values, rootfs: imageId },
      words: words.length === 0 && format !== "oci" ? ["/init"] : words,
    };
  }
  throw failedPrecondition(
    "IMAGE_NOT_BOOTABLE",
    image.name,
    `${image.name} is of format ${format}, from which no instance is made by itself; use: zor create instance`,
  );
}

async function waitForAgent(session: Session, name: string, timeoutMs: number): Promise<void> {
  const beganMs = performance.now();
  session.note(escapeText(`waiting for the agent of ${shortName(name)}`));
  for (;;) {
    const found = await getResource(await session.connect(), kindNamed("instance"), name, session.readOptions());
    const status = Instance.fromPartial(found?.value ?? {}).status;
    if (status?.execReady === true) return;
    if (status?.state !== InstanceState.INSTANCE_STATE_RUNNING && performance.now() - beganMs > 10 * lookMs) {
      const state = instanceStateName(status?.state ?? 0);
      throw failedPrecondition(
        "INSTANCE_ENDED",
        name,
        `${name} is ${state} before its agent answered: ${status?.reason ?? ""}`,
      );
    }
    if (performance.now() - beganMs > timeoutMs) {
      const message = `${name} runs, but no agent answers in it within the time; look at it with: zor console ${shortName(name)}`;
      throw failedPrecondition("AGENT_SILENT", name, message);
    }
    await sleep(lookMs, undefined, { signal: session.io.signal });
  }
}
