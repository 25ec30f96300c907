import { messageOf } from "../../../lib/errors.js";
import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import { changeableFields } from "../../../lib/kinds/change.js";
import { findKindBySingular, type Kind, livesOnHosts } from "../../../lib/kinds/kinds.js";
import { findStandardMethod } from "../../../lib/kinds/verbs.js";
import type { MessageJson } from "../../kit/input/fields.js";
import { idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Program } from "../program.js";
import { Form, type FormAim, freeId, jsonOf } from "./form.js";
import { FormScreen, type Taken } from "./form-screen.js";

/** What is filled in before anybody types. */
export type Filled = NonNullable<FormAim["filled"]>;

/** How a form begins and ends. */
interface Course {
  /** What it is about: fields that name such a thing name it. */
  readonly of?: Row | undefined;
  /** Default: goes to its row. */
  readonly onTaken?: Taken | undefined;
}

/** Opens a form in which a resource is made. */
export function openNew(program: Program, kind: Kind, filled: Filled = {}, course: Course = {}): void {
  open(program, kind, { filled: { ...hostToBegin(program, kind), ...filled } }, course);
}

/** Opens a form in which a resource is changed. @param json what it is to be; default: as it is. */
export function openEdit(program: Program, row: Row, json?: MessageJson, onTaken?: Taken): void {
  const kind = findKindBySingular(row.kind);
  if (kind === undefined) return;
  // Rows of the kinds of the API hold messages of theirs.
  const base = row.resource as NamedMessage;
  open(program, kind, { base, ...(json === undefined ? {} : { filled: { json } }) }, { onTaken });
}

/** Opens a form in which another one like a resource is made. */
export function openClone(program: Program, row: Row): void {
  const kind = findKindBySingular(row.kind);
  if (kind === undefined) return;
  const { fleet, kinds } = program.model;
  const json = jsonOf(kind, row.resource as NamedMessage);
  for (const path of kinds.find(row.kind)?.form?.own ?? []) without(json, path.split("."));
  const others = [...fleet.rowsOf(row.kind)].filter(({ host }) => host === row.host).map(({ name }) => name);
  open(program, kind, { filled: { host: row.host, id: freeId(idOf(row.name), others), json } });
}

/** Whether resources of a kind can be made, or changed. */
export function canBe(verb: "create" | "update", singular: string | undefined): boolean {
  return singular !== undefined && findStandardMethod(singular, verb) !== undefined;
}

function open(program: Program, kind: Kind, aim: Pick<FormAim, "base" | "filled">, course: Course = {}): void {
  const { model } = program;
  const tuiKind = model.kinds.find(kind.singular);
  const load = async (): Promise<void> => {
    // What the API says of fields is large, and forms are rare.
    const [{ commentOf }, commands] = await Promise.all([
      import("../../../lib/kinds/comments.js"),
      tuiKind?.commands?.(),
    ]);
    const changeable = commands?.changeable ?? changeableFields;
    const form = new Form({ kind, changeable, hints: tuiKind?.form ?? {}, comments: commentOf, ...aim });
    if (course.of !== undefined) form.begin(course.of);
    model.push(new FormScreen(program, form, course.onTaken ?? ((name) => goTo(program, kind.singular, name))));
  };
  load()
    .catch((error: unknown) => model.say(messageOf(error), "bad"))
    .finally(() => model.changed());
}

/** To the row of what was made or changed. */
function goTo(program: Program, kind: string, name: string): void {
  const { model } = program;
  if (model.screen.goTo?.(kind, name) === true) return;
  program.openTable(kind);
  model.screen.goTo?.(kind, name);
}

/** The host that somebody looks at, or the only one. */
function hostToBegin({ model }: Program, kind: Kind): { readonly host?: string } {
  if (!livesOnHosts(kind)) return {};
  const row = model.screen.subject();
  const { presence } = model.kinds;
  const looked = row?.kind === presence?.kind ? row?.id : row?.host;
  if (looked !== undefined && looked !== "") return { host: looked };
  const hosts = presence === undefined ? [] : [...model.fleet.rowsOf(presence.kind)];
  const [only] = hosts;
  return hosts.length === 1 && only !== undefined ? { host: only.id } : {};
}

/** Takes a field away, of every item of the lists on its way. */
function without(json: MessageJson, [name = "", ...rest]: readonly string[]): void {
  const key = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  if (rest.length === 0) {
    delete json[key];
    return;
  }
  const value = json[key];
  for (const each of Array.isArray(value) ? value : [value]) {
    if (typeof each === "object" && each !== null && !Array.isArray(each)) without(each, rest);
  }
}
