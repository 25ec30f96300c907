import { kindNamed } from "../../../lib/kinds/kinds.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { instanceStateName } from "../../kinds/instance/states.js";
import { shortName } from "../../kit/resource-name.js";
import { areChosen, type ChosenOptions } from "../chosen.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { forEachName } from "../for-each-name.js";
import type { ResponseMethod } from "../output/proto-json.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";
import { asMany, doToMany } from "../wave/for-many.js";
import type { SpecOptions } from "../wave/spec-options.js";

interface VerbRequest {
  name: string;
  requestId: string;
  validateOnly: boolean;
}

interface Verb {
  readonly description: string;
  readonly done: string;
  readonly method: ResponseMethod<VerbRequest, { instance: Instance | undefined }>;
}

const verbs: Readonly<Record<string, Verb>> = {
  start: {
    description: "Start stopped or failed instances.",
    done: "started",
    method: InstanceServiceService.startInstance,
  },
  stop: {
    description: "End instances at once, as if their power were cut. To ask the guest instead: zor shutdown.",
    done: "stopped",
    method: InstanceServiceService.stopInstance,
  },
  pause: {
    description: "Stop the CPUs of machines, freeze containers.",
    done: "paused",
    method: InstanceServiceService.pauseInstance,
  },
  resume: {
    description: "Continue paused instances.",
    done: "resumed",
    method: InstanceServiceService.resumeInstance,
  },
  adopt: {
    description: "Take over what was found on a host and is only shown, such as domains of libvirt.",
    done: "adopted",
    method: InstanceServiceService.adoptInstance,
  },
  reset: {
    description: "Reset machines as their reset button would; restart containers.",
    done: "reset",
    method: InstanceServiceService.resetInstance,
  },
};

interface VerbOptions extends ChosenOptions, SpecOptions {
  readonly output: OutputFormat;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Starting a guest takes a while on a busy host. */
const verbTimeoutMs = 60_000;

/** `zor start|stop|pause|resume|reset|adopt NAME...`: each by itself; those that are chosen by what they are like as a wave of the hub. */
export function define({ program, open }: Registrar, name: string): void {
  const verb = verbs[name];
  if (verb === undefined) throw new Error(`${name} is not a verb of instances`);
  const command = program
    .command(name)
    .description(verb.description)
    .addArgument(new ResourceArgument("[names...]", "instances, or --filter, --selector or --all", "instance"));
  asMany(command)
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: VerbOptions) => {
      const session = open(command);
      if (areChosen(names, options)) {
        await doToMany(
          session,
          { kind: kindNamed("instance"), verb: name, method: verb.method.path.slice(1) },
          options,
        );
        return;
      }
      await forEachName(session, names, options.output, async (text, part) => {
        const instance = await resolveName(session, kindNamed("instance"), text, options.host);
        const request = { name: instance, requestId: session.requestId(part), validateOnly: options.dryRun === true };
        const response = await session.call(verb.method, request, verbTimeoutMs);
        await session.printResponse(options.output, verb.method, response, () =>
          options.output === "name" ? escapeText(instance) : report(verb, instance, response.instance, options),
        );
      });
    });
  withExamples(
    command,
    `zor ${name} alpha/vm1`,
    `zor ${name} vm1 vm2 --host alpha`,
    `zor ${name} --all --host alpha --max-failures 10%`,
    `zor ${name} --selector lab=paris --yes`,
    `zor ${name} alpha/vm1 -o json`,
  );
}

function report(verb: Verb, name: string, instance: Instance | undefined, options: VerbOptions): string {
  if (options.dryRun === true) return escapeText(`${shortName(name)} could be ${verb.done}; nothing was changed`);
  const state = instance?.status === undefined ? "" : ` (${instanceStateName(instance.status.state)})`;
  return escapeText(`${shortName(name)} ${verb.done}${state}`);
}
