import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import type { Joint } from "../../kit/loops.js";

/** What an in-line box joins: two lans of its host. */
export function jointOfBox({ name, spec }: Pick<A2b, "name" | "spec">): Joint {
  const lans = name.replace(/\/a2bs\/.*$/, "/lans/");
  return { name, a: `${lans}${spec?.lanA ?? ""}`, b: `${lans}${spec?.lanB ?? ""}` };
}
