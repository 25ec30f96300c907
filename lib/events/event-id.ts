/** Where an event stands: in which log, and at which of its positions. */
export interface EventPlace {
  readonly log: string;
  readonly position: number;
}

const form = /^([0-9a-f]{8})\.(\d{10,15})$/;

/** The id of an event of a log, "3fa81b2c.0000000123"; ids are in the order of positions. It is also how positions are told to readers. */
export function formatEventId({ log, position }: EventPlace): string {
  return `${log}.${String(position).padStart(10, "0")}`;
}

/** Undefined: it is no id of a log. */
export function parseEventId(id: string): EventPlace | undefined {
  const [, log, position] = form.exec(id) ?? [];
  return log === undefined ? undefined : { log, position: Number(position) };
}

/** The place and host in the name of an event, "hosts/alpha/events/3fa81b2c.0000000123"; undefined: it has none, as one of a hub. */
export function placeOnHost(name: string): (EventPlace & { readonly host: string }) | undefined {
  const [hosts, host = "", events, id = ""] = name.split("/");
  const place = hosts === "hosts" && events === "events" ? parseEventId(id) : undefined;
  return place === undefined ? undefined : { ...place, host };
}
