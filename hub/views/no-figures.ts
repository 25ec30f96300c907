import { noFacts } from "../../lib/query/facts.js";
import type { FactSource } from "./tables.js";

/** Nothing is measured, and there are no links. */
export const noFigures: FactSource = {
  ...noFacts,
  hold: async () => () => undefined,
  onFigure: () => undefined,
};
