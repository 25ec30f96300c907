const maxDepth = 4;
const unknownCause = "unknown cause";

/**
 * What an error says that is not ours: a library's, the runtime's, or something that is no error at all. The one place that turns such into
 * words for people. Never a stack, never "undefined" or "[object": what would hold them is told as a fault in the program, by its name.
 * `unknown` is said when it says nothing.
 */
export function foreignWords(error: unknown, unknown: string = unknownCause): string {
  const said = sayingOf(error, maxDepth);
  const text = withoutStack(said).trim();
  if (text === "" || /^(?:undefined|null)$/.test(text)) return unknown;
  if (!/\bundefined\b|\[object /.test(text)) return text;
  return error instanceof Error && error.name !== "Error" ? `a fault in the program (${error.name})` : unknown;
}

function sayingOf(error: unknown, depth: number): string {
  if (typeof error === "string") return error;
  if (!(error instanceof Error)) return hasMessage(error) ? error.message : "";
  // Node tries all addresses of a name and says nothing of its own when none answers.
  if (error instanceof AggregateError && error.message === "" && depth > 0) {
    const all = error.errors.map((each: unknown) => sayingOf(each, depth - 1)).filter((each) => each !== "");
    if (all.length > 0) return [...new Set(all)].join("; ");
  }
  if (error.message !== "") return error.message;
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

function hasMessage(value: unknown): value is { readonly message: string } {
  return typeof value === "object" && value !== null && "message" in value && typeof value.message === "string";
}

/** Libraries put stacks into messages. */
function withoutStack(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*(?::\d+:\d+|<anonymous>|native)\)?$/.test(line))
    .join("\n");
}
