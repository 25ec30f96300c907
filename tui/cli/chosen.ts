import type { Command } from "commander";
import { invalidArgument } from "../../lib/errors.js";
import { type Kind, livesOnHosts } from "../../lib/kinds/kinds.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import { parseId } from "../../lib/names.js";
import { shortName } from "../kit/resource-name.js";
import { escapeText } from "../kit/text/escape.js";
import { filterOption, selectorOption } from "./command.js";
import { confirm } from "./confirm.js";
import { selectedBy } from "./input/selector.js";
import { hasLabels, listKind } from "./kinds.js";
import { pointingOut } from "./output/point-out.js";
import type { Session } from "./session.js";

/** Of more than so many the number is typed. */
const typeNumberAbove = 20;
/** So many are named one by one before they are changed. */
const mostNamed = 10;

/** Which resources are meant, where they are not named. */
export interface ChosenOptions {
  readonly all?: boolean;
  readonly filter: string;
  readonly selector?: string;
  readonly host?: string;
}

/** Gives a command of names the options to choose resources by what they are like instead. */
export function asChosen(command: Command, all = "all of them; with --host those on a host"): Command {
  return command
    .option("--host <host>", "the host of names without one, or of all that are meant")
    .option("--all", all)
    .addOption(filterOption("labels.lab = 'a'"))
    .addOption(selectorOption());
}

/** Whether options say what resources are like. */
export function choose({ all, filter, selector }: ChosenOptions): boolean {
  return all === true || filter !== "" || (selector ?? "") !== "";
}

/** Whether resources are not named but chosen. @throws {ZorError} INVALID_ARGUMENT when they are both, or neither. */
export function areChosen(names: readonly string[], options: ChosenOptions): boolean {
  const chosen = choose(options);
  if (names.length > 0 !== chosen) return chosen;
  throw invalidArgument("names", `name them, or give --filter, --selector or --all${chosen ? ", not both" : ""}`);
}

/** The query that options of choice are, which a kind must be able to answer. @throws {ZorError} INVALID_ARGUMENT */
export function chosenBy(
  kind: Kind,
  { host, selector, filter }: Omit<ChosenOptions, "all">,
): { readonly filter: string; readonly host?: string } {
  if (host !== undefined && !livesOnHosts(kind))
    throw invalidArgument("--host", `${kind.plural} do not live on one host; use --filter`);
  if (host !== undefined) parseId("--host", host);
  if (selector !== undefined && !hasLabels(kind)) throw invalidArgument("--selector", `${kind.plural} have no labels`);
  return { filter: selectedBy(selector, filter), ...(host === undefined ? {} : { host }) };
}

/** The resources that are chosen by what they are like; that there is none is said. */
export async function chosenOf(session: Session, kind: Kind, options: ChosenOptions): Promise<readonly AnyResource[]> {
  const query = await pointingOut(session, options.filter, async () => chosenBy(kind, options));
  const { resources } = await pointingOut(session, query.filter, async () =>
    listKind(await session.connect(), kind, query, session.readOptions()),
  );
  if (resources.length === 0)
    session.note(query.filter === "" ? `there are no ${kind.plural}` : `no ${kind.plural} match`);
  return resources;
}

/** The names that are given, or the full ones of what is chosen in their place. @throws {ZorError} INVALID_ARGUMENT when there are both, or neither. */
export async function chosenNames(
  session: Session,
  kind: Kind,
  names: readonly string[],
  options: ChosenOptions,
): Promise<readonly string[]> {
  if (!areChosen(names, options)) return names;
  return (await chosenOf(session, kind, options)).map(({ value }) => value.name);
}

/**
 * {@link chosenNames} of a command that ends something: what is chosen, and was not named, is told first, and whether to go on is asked.
 * @param done what happens to them: "cancels".
 */
export async function confirmedNames(
  session: Session,
  { kind, done }: { readonly kind: Kind; readonly done: string },
  names: readonly string[],
  options: ChosenOptions & { readonly yes?: boolean; readonly dryRun?: boolean },
): Promise<readonly string[]> {
  const found = await chosenNames(session, kind, names, options);
  if (found === names || found.length === 0) return found;
  const shown = found.slice(0, mostNamed).map((name) => `  ${shortName(name)}`);
  const more = found.length > mostNamed ? [`  and ${found.length - mostNamed} more`] : [];
  const count = found.length === 1 ? `1 ${kind.singular}` : `${found.length} ${kind.plural}`;
  const lines = [`This ${done} ${count}:`, ...shown, ...more].map(escapeText);
  return (await confirm(session, lines, "Go ahead?", { ...options, ...typedNumber(found.length) })) ? found : [];
}

/** Of many the number has to be typed to go on. */
export function typedNumber(count: number): { readonly phrase?: string } {
  return count > typeNumberAbove ? { phrase: `${count}` } : {};
}
