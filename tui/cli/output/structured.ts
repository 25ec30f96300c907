/** JSON and YAML leave C1 controls and format characters as they are; a terminal must not see them. */
const unsafe = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A value as JSON: indented, or on one line. */
export function jsonText(value: unknown, indent: boolean): string {
  return escapeUnits(JSON.stringify(value, undefined, indent ? 2 : undefined));
}

/** A value as one YAML document. */
export async function yamlText(value: unknown): Promise<string> {
  const { Document, visit } = await import("yaml");
  const document = new Document(value);
  visit(document, {
    Scalar: (_, node) => {
      // The escapes that replace what is unsafe mean the same only between double quotes.
      if (typeof node.value === "string" && node.value.search(unsafe) >= 0) node.type = "QUOTE_DOUBLE";
    },
  });
  return `---\n${escapeUnits(document.toString({ lineWidth: 0 })).trimEnd()}`;
}

function escapeUnits(text: string): string {
  return text.replace(unsafe, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
