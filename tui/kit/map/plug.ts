import { hostOf } from "../resource-name.js";
import type { MapEnd } from "./role.js";

/** The end of a thing that has just one, plugged into a lan of its host; `lan` is its id, empty: none. */
export function plugOf(name: string, lan: string | undefined, word = ""): MapEnd {
  return { name, word, into: lanOf(name, lan) };
}

/** Name of a lan on the host of something, of its id; empty: none. */
export function lanOf(name: string, lan: string | undefined): string {
  return lan === undefined || lan === "" ? "" : `hosts/${hostOf(name) ?? ""}/lans/${lan}`;
}
