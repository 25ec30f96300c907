/** Kinds of resources that are measured, as requests name them. */
export const measuredKinds = ["host", "instance", "lan", "wire", "link"] as const;

/** Kind of what is measured, by its name; undefined: nothing of that name is. */
export function measuredKindOf(name: string): (typeof measuredKinds)[number] | undefined {
  const [first = "", id = "", collection = "", second = "", ...more] = name.split("/");
  if (more.length > 0 || id === "") return undefined;
  if (first === "links" && collection === "") return "link";
  if (first !== "hosts") return undefined;
  if (collection === "") return "host";
  if (second === "") return undefined;
  return { instances: "instance" as const, lans: "lan" as const, wires: "wire" as const }[collection];
}
