/** An element of a document: text is what stands between its children, put together. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

interface OpenElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: XmlElement[];
  text: string;
}

const maxCharacters = 1024 * 1024;
const maxDepth = 64;
const name = "[A-Za-z_][A-Za-z0-9_.:-]*";
const startTag = new RegExp(`<(${name})((?:\\s+${name}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(/?)>`, "y");
const endTag = new RegExp(`</(${name})\\s*>`, "y");
const attribute = new RegExp(`(${name})\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "g");
const characters = /[^<]+/y;
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/**
 * Parses a document as libvirt writes them: elements, attributes, text, comments. No document types, so no entities but those that
 * every document has, and no instructions but the declaration. @throws {Error} for all else.
 */
export function parseXml(text: string): XmlElement {
  if (text.length > maxCharacters) throw new Error(`a document is longer than ${maxCharacters} characters`);
  const root: OpenElement = { name: "", attributes: new Map(), children: [], text: "" };
  const open: OpenElement[] = [root];
  let position = /^\s*<\?xml [^<>]*\?>/.exec(text)?.[0].length ?? 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(text) ?? undefined;
    if (match !== undefined) position = pattern.lastIndex;
    return match;
  };
  while (position < text.length) {
    const within = open.at(-1) ?? root;
    if (text.startsWith("<!--", position)) {
      position = afterMark(text, position, "-->");
    } else if (text.startsWith("<![CDATA[", position)) {
      const end = afterMark(text, position, "]]>");
      within.text += text.slice(position + 9, end - 3);
      position = end;
    } else if (text.startsWith("</", position)) {
      if (open.length === 1 || take(endTag)?.[1] !== within.name) throw malformed(position);
      open.pop();
      open.at(-1)?.children.push(within);
    } else if (text.startsWith("<", position)) {
      const tag = take(startTag);
      if (tag === undefined || open.length > maxDepth) throw malformed(position);
      const element = { name: tag[1] ?? "", attributes: attributesOf(tag[2] ?? ""), children: [], text: "" };
      if (tag[3] === "/") within.children.push(element);
      else open.push(element);
    } else {
      within.text += decode(take(characters)?.[0] ?? "");
    }
  }
  const [document, ...others] = root.children;
  if (document === undefined || others.length > 0 || open.length > 1 || root.text.trim() !== "")
    throw malformed(position);
  return document;
}

/** The element that a path of names leads to; the first where there are several. */
export function findElement(element: XmlElement, ...path: readonly string[]): XmlElement | undefined {
  let found: XmlElement | undefined = element;
  for (const step of path) found = found?.children.find((child) => child.name === step);
  return found;
}

function afterMark(text: string, position: number, mark: string): number {
  const end = text.indexOf(mark, position);
  if (end === -1) throw malformed(position);
  return end + mark.length;
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, key = "", double, single] of text.matchAll(attribute)) {
    if (found.has(key)) throw new Error("an element of the document has an attribute twice");
    found.set(key, decode(double ?? single ?? ""));
  }
  return found;
}

function decode(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-z]+|);?/g, (whole, what: string) => {
    const known = entities[what];
    if (known !== undefined && whole.endsWith(";")) return known;
    const code = what.startsWith("#x") ? Number.parseInt(what.slice(2), 16) : Number(what.slice(1));
    if (!what.startsWith("#") || !whole.endsWith(";") || code === 0 || code > 0x10ffff)
      throw new Error("the document has a reference that it does not explain");
    return String.fromCodePoint(code);
  });
}

function malformed(position: number): Error {
  return new Error(`the document is malformed at character ${position + 1}`);
}
