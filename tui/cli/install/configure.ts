import { createHash } from "node:crypto";
import { z } from "zod";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { startWith } from "./bring.js";
import type { HostFacts } from "./facts.js";
import { findHost, hasJoined, waitUntilReady } from "./fleet-side.js";
import { type HubPlace, hubAnswers, placeOf } from "./hub-health.js";
import type { InstallOptions } from "./install-host.js";
import type { HubOptions } from "./install-hub.js";
import type { Remote } from "./remote.js";
import type { JobResult } from "./run-hosts.js";
import { differingLines, editSettings, type SettingsEdit } from "./settings-text.js";
import { programOf, type Trial, tryOut } from "./trial.js";
import type { Step } from "./step.js";
import { type Plan, visit } from "./visit.js";
import type { HostWish } from "./wishes.js";

const zor = "/opt/zorhub/current/zor";
const directory = "/etc/zor";
const mostBytes = 1024 * 1024;

/** What the program itself says of settings: `check-config -o json`. */
const checkSchema = z.object({
  settings: z.object({ listen: z.array(z.string()), state: z.string() }),
  changed: z.array(z.string()),
  refused: z.array(z.object({ key: z.string(), why: z.string() })),
});
type Check = z.output<typeof checkSchema>;

/** Changes the settings of a host's agent; back by itself when the hub does not reach the agent with them. */
export async function configureHost(
  wish: HostWish,
  options: InstallOptions & { readonly edit: SettingsEdit },
  step: Step,
): Promise<JobResult> {
  const name = `hosts/${wish.id}`;
  const { session } = options;
  return visit(wish.ssh, options, step, async (remote, facts) => {
    const isJoined = hasJoined(await findHost(session, name));
    const isWell = (pid: bigint) => waitUntilReady(session, name, pid);
    return planOf({ remote, facts, options, resource: name, step }, async () => ({
      problems: isJoined ? [] : [`${name} has not joined the fleet; use: zor host install`],
      ...{ isWell, wasWell: isWell },
    }));
  });
}

/** Changes the settings of a hub; back by itself when it does not answer with them, at the addresses that they say. */
export async function configureHub(
  options: HubOptions & { readonly edit: SettingsEdit },
  step: Step,
): Promise<JobResult> {
  return visit(options.target, options, step, async (remote, facts) =>
    planOf({ remote, facts, options, resource: remote.connection.name, step }, async ({ settings }) => ({
      problems: [],
      isWell: () => hubAnswers(remote, { place: placeOf(settings) }),
      wasWell: async () => hubAnswers(remote, { place: await placeThere(remote) }),
    })),
  );
}

interface Work {
  readonly remote: Remote;
  readonly facts: HostFacts;
  readonly options: (InstallOptions | HubOptions) & { readonly edit: SettingsEdit };
  readonly resource: string;
  readonly step: Step;
}

interface Judgement extends Pick<Trial, "isWell" | "wasWell"> {
  readonly problems: readonly string[];
}

async function planOf(
  { remote, facts, options, resource, step }: Work,
  judge: (check: Check) => Promise<Judgement>,
): Promise<Plan> {
  const { unit, edit, session } = options;
  const file = `${directory}/${programOf(unit)}.yaml`;
  if (facts.current === "" || !facts.hasConfig)
    throw failedPrecondition(
      "NOT_CONFIGURED",
      resource,
      `there is no ${file}, or Zorhub was not installed there by zor`,
    );
  step("checks the settings");
  const current = await readSettings(remote, unit);
  const text = editSettings(current.text, edit);
  if (Buffer.byteLength(text) > mostBytes) throw invalidArgument("settings", "they are larger than 1 MiB");
  const check = await checkThere(remote, facts, { unit, text, resource });
  const { problems, isWell, wasWell } = await judge(check);
  const isSame = text === current.text;
  const diff = differingLines(current.text, text);
  const isRunning = facts.units.isActive;
  return {
    resource,
    problems: [...problems, ...check.refused.map(({ key, why }) => `${key} cannot be changed from afar: ${why}`)],
    tasks: [
      {
        name: isSame ? "try the settings that a run before left untried" : `change ${namesOf(check, diff)}`,
        isNeeded: !isSame || !current.isProven,
        run: async () => {
          step("changes the settings");
          const apply = () =>
            isSame ? Promise.resolve() : replaceSettings(remote, unit, { text, before: current.text });
          if (!isRunning) return apply();
          await tryOut({
            ...{ remote, unit, resource, step, signal: session.io.signal, isWell, wasWell },
            undone: "the settings are as before",
            go: async () => {
              await apply();
              return startWith(remote, unit, `systemctl restart ${unit}`);
            },
            back: () => startWith(remote, unit, `${takeBack(unit)} && systemctl restart ${unit}`),
          });
          await remote.must("noting that the settings are good", `rm -f ${unproven(unit)}`);
        },
      },
    ],
    preview: diff,
    finish: async (done) => {
      if (done.length === 0) return { text: "nothing to do: the settings are so already", changed: false, notes: [] };
      const kept = `the settings before are in ${file}.before`;
      const later = isRunning ? [] : [`${unit} does not run: the settings count when it is started`];
      return { text: `changed ${namesOf(check, diff)}`, changed: true, notes: [...diff, ...later, kept] };
    },
  };
}

/** What is changed, in words. */
function namesOf({ changed }: Check, diff: readonly string[]): string {
  return changed.length > 0 ? changed.join(", ") : diff.length > 0 ? "nothing but comments" : "nothing";
}

/** While it is there, nobody knows whether the program is well with its settings. */
const unproven = (unit: string): string => `${directory}/.${programOf(unit)}.yaml.unproven`;

/** The settings of a program as they are on a machine, and whether it has been well with them. */
export async function readSettings(
  remote: Remote,
  unit: string,
): Promise<{ readonly text: string; readonly isProven: boolean }> {
  const file = `${directory}/${programOf(unit)}.yaml`;
  const read = `[ ! -e ${unproven(unit)} ] && echo proven || echo unproven; cat ${file}`;
  const out = await remote.must(`reading ${file}`, read);
  const end = out.indexOf("\n");
  return { text: out.slice(end + 1), isProven: out.slice(0, end) === "proven" };
}

/** Has the installed version check a text, beside the settings in use; nothing is changed. @throws {ZorError} with every fault. */
async function checkThere(
  remote: Remote,
  { current }: HostFacts,
  { unit, text, resource }: { readonly unit: string; readonly text: string; readonly resource: string },
): Promise<Check> {
  const program = programOf(unit);
  const file = `${directory}/${program}.yaml`;
  const script = `d=$(mktemp -d /run/zor-settings.XXXXXX) || exit 1; trap 'rm -rf "$d"' EXIT; umask 077
cat > "$d/${program}.yaml" && ${zor} ${program} check-config "$d/${program}.yaml" --before ${file} -o json`;
  const { code, stdout, stderr } = await remote.root(script, { stdin: [Buffer.from(text)] });
  if (code === 0) return checkSchema.parse(JSON.parse(stdout));
  if (/unknown (command|option)/.test(stderr)) {
    const message = `version ${current} there cannot check settings; bring it to this one first: zor ${program === "hub" ? "hub" : "host"} upgrade`;
    throw failedPrecondition("OLD_VERSION", resource, message);
  }
  const said = stderr.replace(/^zor[^:]*: /gm, "").replaceAll(/\/run\/zor-settings\.\w+\//g, "");
  throw invalidArgument(
    "settings",
    said.trim().split("\n").slice(0, 20).join("; ") || `they are wrong (exit ${code ?? "by a signal"})`,
  );
}

/** Where a hub serves, as its settings say that are in use now. */
async function placeThere(remote: Remote): Promise<HubPlace | undefined> {
  const { code, stdout } = await remote.root(`${zor} hub check-config ${directory}/hub.yaml -o json`);
  return code === 0 ? placeOf(checkSchema.parse(JSON.parse(stdout)).settings) : undefined;
}

/** Writes settings whole or not at all, and keeps those before. @throws {ZorError} when somebody else has changed them meanwhile. */
async function replaceSettings(
  remote: Remote,
  unit: string,
  { text, before }: { readonly text: string; readonly before: string },
): Promise<void> {
  const name = `${programOf(unit)}.yaml`;
  const digest = createHash("sha256").update(before).digest("hex");
  const script = `cd ${directory} || exit 1
[ "$(sha256sum < ${name} | cut -c1-64)" = ${digest} ] || { echo "zor: ${name} was changed meanwhile; run it again" >&2; exit 1; }
cp -p ${name} .${name}.new && cat > .${name}.new || exit 1
# What nobody has seen to be good is not kept as such.
[ -e ${unproven(unit)} ] || { cp -p ${name} .${name}.keep && mv -f .${name}.keep ${name}.before; } || exit 1
: > ${unproven(unit)} && sync .${name}.new && mv -f .${name}.new ${name} && sync .`;
  await remote.must(`writing ${name}`, script, { stdin: [Buffer.from(text)] });
}

const takeBack = (unit: string): string => {
  const name = `${programOf(unit)}.yaml`;
  return `cd ${directory} && cp -p ${name}.before .${name}.new && mv -f .${name}.new ${name} && rm -f ${unproven(unit)}`;
};
