/** What a table is narrowed to: what belongs to one host, what is about one resource, or the parts of one. */
export interface TableScope {
  /** Shown after the name of the table. */
  readonly title: string;
  /** Id of the host. */
  readonly host?: string;
  /** Name of the resource that the rows of a log are about. */
  readonly about?: string;
  /** When the rows of a log happened: not before, and before; in milliseconds since 1970. */
  readonly during?: { readonly fromMs: number; readonly untilMs: number };
  /** The resource that the rows are parts of. */
  readonly partOf?: { readonly kind: string; readonly name: string };
}
