import { createHash } from "node:crypto";
import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

/** A container image by name, every part said (distribution specification: "docker.io/library/debian:12"). */
export interface ImageReference {
  /** "docker.io", "registry.example.com:5000". */
  readonly registry: string;
  /** "library/debian". */
  readonly repository: string;
  /** "12"; "" with a digest alone. */
  readonly tag: string;
  /** "sha256:..."; "" without one. */
  readonly digest: string;
}

const maxLength = 255;
const hubRegistry = "docker.io";
const part = "[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*";
const pattern = new RegExp(
  `^(?:([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)/)?(${part}(?:/${part})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
);

/** Understands a name as Docker does; undefined when it is none. */
export function parseReference(text: string): ImageReference | undefined {
  if (text.length > maxLength) return undefined;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, first, rest = "", tag = "", digest = ""] = match;
  // "library/debian": the first part is a registry only when it looks like a host.
  const isHost = first !== undefined && (/[.:]/.test(first) || first === "localhost");
  const path = first === undefined || isHost ? rest : `${first}/${rest}`;
  if (path !== path.toLowerCase()) return undefined;
  const registry = isHost ? first : hubRegistry;
  const repository = registry === hubRegistry && !path.includes("/") ? `library/${path}` : path;
  return { registry, repository, tag: tag === "" && digest === "" ? "latest" : tag, digest };
}

/** The whole name without tag and digest: "docker.io/library/debian". */
export function repositoryOf({ registry, repository }: ImageReference): string {
  return `${registry}/${repository}`;
}

/** The whole name. */
export function formatReference(reference: ImageReference): string {
  const { tag, digest } = reference;
  return `${repositoryOf(reference)}${tag === "" ? "" : `:${tag}`}${digest === "" ? "" : `@${digest}`}`;
}

/** What is wrong with an image's name. */
export function checkReference(field: string, text: string): readonly FieldViolation[] {
  if (parseReference(text) !== undefined) return [];
  const description =
    text === ""
      ? 'is empty; name an image such as "debian:12", "file:NAME" for one in an image directory of the agent, or "micro"'
      : `${quote(text)} is not the name of an image such as "debian:12" or "registry.example.com/lab/frr:9"`;
  return [{ field, description }];
}

/** What an archive is called in the engine: by its content, so that the same one is there once. */
export function importedName(sha256: string, changes: readonly string[]): string {
  const options = createHash("sha256").update(JSON.stringify(changes)).digest("hex").slice(0, 8);
  return `zorhub.local/import:${sha256.slice(0, 40)}-${options}`;
}
