import { codecOf, type NamedMessage, type ResourceMeta } from "../../lib/kinds/codecs.js";
import { type Kind, livesOnHosts } from "../../lib/kinds/kinds.js";
import { type DescribeLine, field, heading } from "./describe/line.js";
import { yamlOf } from "./describe/yaml.js";
import type { CellContext } from "./fleet/fleet-view.js";
import { genericActions } from "./generic-actions.js";
import type { TuiKind } from "./kind.js";
import type { Row } from "./row.js";
import { type StateStyle, styleOfWord } from "./states.js";
import type { Column } from "./table/column.js";
import {
  ageColumn,
  hostColumn,
  labelColumn,
  nameColumn,
  reasonColumn,
  stateCell,
  stateColumn,
} from "./table/columns.js";

type GenericRow = Row<Partial<ResourceMeta>>;

/** What a resource of any kind may say of how it is; both are empty where it does not. */
interface Condition {
  readonly state: string;
  readonly reason: string;
}

const conditions = new WeakMap<object, Condition>();

/** A kind of which nothing is known but what the API says of all: it is shown with its name, state, labels and age, and as YAML. */
export function genericKind(kind: Kind): TuiKind<Partial<ResourceMeta>> {
  const { singular, plural } = kind;
  const state: Column<GenericRow> = stateColumn(10, styleOf);
  return {
    kind: singular,
    columns: [
      nameColumn(),
      ...(livesOnHosts(kind) ? [hostColumn()] : []),
      { ...state, cell: (row, context) => (conditionOf(row).state === "" ? { text: "-" } : state.cell(row, context)) },
      labelColumn(),
      ageColumn({ id: "age", title: "AGE", importance: 3, sortLetter: "A" }, (row) => row.resource.createTime),
      reasonColumn(7, styleOf, (row) => conditionOf(row).reason),
    ],
    sortBy: "name",
    empty: `no ${plural}`,
    counted: { short: plural, rank: 3 },
    actions: genericActions(kind),
    describe: (row, context) => describeGeneric(row, context),
  };
}

function describeGeneric(row: GenericRow, context: CellContext): readonly DescribeLine[] {
  const { state, reason } = conditionOf(row);
  return [
    ...(state === "" ? [] : [field("state", stateCell(row, styleOf(row), context))]),
    ...(reason === "" ? [] : [field("reason", reason)]),
    heading("As YAML"),
    ...yamlOf(row),
  ];
}

function styleOf(row: GenericRow): StateStyle {
  return styleOfWord(conditionOf(row).state);
}

/** `status.state` and `status.reason`, or those of the resource itself, where there are any. Read once from each version. */
function conditionOf({ kind, resource }: GenericRow): Condition {
  const known = conditions.get(resource);
  if (known !== undefined) return known;
  // Rows of the kinds of the API hold messages of theirs.
  const json = asObject(codecOf(kind).toJSON(resource as NamedMessage));
  const status = asObject(json["status"]);
  const condition = {
    state: stateWord(status["state"] ?? json["state"]),
    reason: textOf(status["reason"] ?? json["reason"]),
  };
  conditions.set(resource, condition);
  return condition;
}

/** "A2B_STATE_ACTIVE" is "active". */
function stateWord(value: unknown): string {
  return textOf(value)
    .replace(/^.*_STATE_/, "")
    .toLowerCase()
    .replaceAll("_", " ");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  // Any object can be read by key.
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
