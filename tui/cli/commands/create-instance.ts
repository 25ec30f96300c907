import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { type InstanceFlags, instanceFromFlags } from "../input/instance-flags.js";
import { parseNewName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface CreateInstanceOptions extends InstanceFlags {
  readonly output: OutputFormat;
  readonly file?: string;
  readonly leaveStopped?: boolean;
  readonly wait: boolean;
  readonly dryRun?: boolean;
}

/** `zor create instance HOST/NAME`. */
export function defineCreateInstance(create: Command, open: Registrar["open"]): void {
  const command = create
    .command("instance")
    .description("Create an instance and start it: a QEMU machine or a container.")
    .argument("[name]", "HOST/NAME; with -f it may stand in the file")
    .argument("[command...]", "after --: what a container runs instead of its default")
    .option("-f, --file <file>", "YAML or JSON in the form zor get -o yaml shows; - is standard input")
    .option("--driver <driver>", "qemu or crun (default: what the other options need)")
    .option("--cpus <count>", "virtual CPUs, or CPU limit of a container (default: 1)")
    .option("--memory <size>", "such as 256M or 2G (default: 128M)")
    .addOption(repeatable("--nic <fields>", "lan=LAN,addr=IP/LEN,mac=MAC,name=NAME, all optional; may be repeated"))
    .option("--kernel <file>", "qemu: kernel for direct boot; micro is the built-in image")
    .option("--initrd <file>", "qemu: initial ram disk")
    .option("--append <text>", "qemu: more kernel command line")
    .addOption(repeatable("--image <file>", "qemu: disk image to boot from; its changes last until the next start"))
    .addOption(repeatable("--disk <fields>", "qemu: image=FILE,persistent,size=SIZE; may be repeated"))
    .option("--machine <type>", "qemu: q35, pc or microvm")
    .option("--accel <accelerator>", "qemu: kvm or tcg (default: the best that works)")
    .option(
      "--rootfs <path>",
      "crun: directory, tar archive, docker save archive or OCI layout; micro is the built-in one",
    )
    .addOption(repeatable("--env <key=value>", "crun: environment of the command; may be repeated"))
    .addOption(
      repeatable("--cap-add <name>", "crun: a capability more; most need the agent's permission; may be repeated"),
    )
    .addOption(repeatable("--cap-drop <name>", "crun: a capability less; ALL is every default one; may be repeated"))
    .addOption(repeatable("--sysctl <name=value>", "crun: of the container's own net namespace; may be repeated"))
    .option("--persistent", "keep changes to disks or files over stop and start")
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .option("--leave-stopped", "do not start it")
    .option("--no-wait", "return once the host has taken it on")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string | undefined, words: string[], options: CreateInstanceOptions) => {
      const session = open(command);
      // What is wrong with the name is told before what is missing of the rest.
      if (text !== undefined || options.file === undefined) parseNewName(newName(text, ""), "instances");
      const instance = await readInstance(session.io.terminal.input, words, options);
      const { parent, id, name } = parseNewName(newName(text, instance.name), "instances");
      const method = InstanceServiceService.createInstance;
      const response = await session.call(method, {
        parent,
        instanceId: id,
        instance,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
        leaveStopped: options.leaveStopped === true,
      });
      const follow = options.wait && options.dryRun !== true;
      const operation = follow
        ? await session.follow(response.operation, `creating ${shortName(name)}`)
        : response.operation;
      await session.printResponse(options.output, method, { operation }, () =>
        options.output === "name" ? name : escapeText(`instance ${shortName(name)} ${outcome(options)}`),
      );
    });
  withExamples(
    command,
    "zor create instance alpha/vm1 --kernel micro --memory 256M --nic lan=lan1,addr=10.0.0.1/24",
    "zor create instance alpha/web --image debian.qcow2 --cpus 2 --memory 2G --persistent --nic lan=lan1",
    "zor create instance alpha/c1 --rootfs micro --nic lan=lan1,addr=10.0.0.2/24 -- /bin/sh -c 'sleep 1d'",
    "zor create instance alpha/r1 --rootfs frr --cap-add SYS_ADMIN --sysctl net.ipv4.ip_forward=1 --nic lan=lan1",
    "zor create instance alpha/vm2 -f vm.yaml",
  );
}

function newName(text: string | undefined, nameInFile: string): string {
  const name = text ?? nameInFile;
  if (name !== "") return name;
  throw invalidArgument("name", "say on which host and under which name: zor create instance HOST/NAME ...");
}

async function readInstance(
  input: NodeJS.ReadableStream,
  words: readonly string[],
  options: CreateInstanceOptions,
): Promise<Instance> {
  if (options.file === undefined) return instanceFromFlags(options, words);
  const { instanceFromFile, refuseSpecFlags } = await import("../input/instance-file.js");
  refuseSpecFlags(options, words);
  return instanceFromFile(options.file, input);
}

function outcome({ dryRun, wait, leaveStopped }: CreateInstanceOptions): string {
  if (dryRun === true) return "could be created; nothing was changed";
  if (!wait) return "is being created; see: zor get operations";
  return leaveStopped === true ? "created, not started" : "created and started";
}
