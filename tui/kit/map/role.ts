import type { StateStyle } from "../states.js";

/** One end of something on the map. */
export interface MapEnd {
  /** Resource name that a cable calls it by: that of an interface, else of the thing itself. */
  readonly name: string;
  /** "eth0"; empty where the thing has no more than one. */
  readonly word: string;
  /** Name of what it is plugged into: a lan, or, of a cable, also an end of a thing; empty: nothing. */
  readonly into: string;
}

/** How the line of a cable is drawn. */
export type MapLine = "light" | "heavy" | "double";

/** What frames have to expect of a cable. */
export type Condition = "whole" | "impaired" | "broken";

/** What a kind is on the map of the fleet; kinds without a role are not on it. Methods, so that one kind can stand in a list of all. */
export interface MapRole<T extends object = object> {
  /** Others are plugged into a lan, a thing is plugged in, a cable joins two of them. */
  readonly shape: "lan" | "thing" | "cable";
  /** The line of a cable. Default: light. */
  readonly line?: MapLine;
  /** Word before the name, of kinds that are few: "nat". Default: none. */
  readonly word?: string;
  /** Its ends: of a lan none, of a cable two. */
  endsOf(resource: T, name: string): readonly MapEnd[];
  /** How its state is shown. Default: as the kind says. */
  styleOf?(resource: T): StateStyle;
  /** What befalls the frames of a cable. Default: broken when its state is bad, impaired when it is a warning. */
  conditionOf?(resource: T): Condition;
  /** More on a cable, in a few cells: what it does to frames, its round trip, its rates. At most two texts. */
  figuresOf?(resource: T): readonly string[];
  /** More on an end, in a few cells: its address. */
  noteOf?(resource: T, end: string): string;
}
