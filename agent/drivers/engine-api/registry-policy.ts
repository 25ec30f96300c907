import { readFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { failedPrecondition, ZorError } from "../../../lib/errors.js";
import { type ImageReference, repositoryOf } from "./image-reference.js";
import { toldOf } from "../../host/told.js";

/** Images that engines may fetch, as the agent's setting registries says. */
export interface AllowedRegistry {
  /** A registry ("docker.io"), or what is below a path in it ("docker.io/library", "registry.example.com/lab/frr"). */
  readonly images: string;
  /** Who the agent is there; default: nobody. */
  readonly username?: string | undefined;
  /** File with the password or token; read whenever an image is fetched. */
  readonly passwordFile?: string | undefined;
}

/**
 * The rule by which an image may be fetched: the longest that fits. `field` is the proto path of the image's name.
 * @throws {ZorError} FAILED_PRECONDITION: there is none.
 */
export function getRule(
  image: ImageReference,
  { field, allowed }: { readonly field: string; readonly allowed: readonly AllowedRegistry[] },
): AllowedRegistry {
  const name = repositoryOf(image);
  const fitting = allowed
    .filter(({ images }) => name === images || name.startsWith(`${images}/`))
    .toSorted((left, right) => right.images.length - left.images.length);
  const [rule] = fitting;
  if (rule !== undefined) return rule;
  const remedy = "bring it to the host, or have the agent's registries setting allow it";
  throw new ZorError({
    reason: "POLICY",
    code: status.FAILED_PRECONDITION,
    message: `${field}: this host's policy does not allow to fetch the image ${name}; ${remedy}`,
    violations: [{ field, description: `may not be fetched on this host; ${remedy}` }],
    metadata: { image: name },
  });
}

/**
 * What goes out as X-Registry-Auth (Engine API, "Authentication"); empty for nobody.
 * @throws {ZorError} FAILED_PRECONDITION when the password cannot be read.
 */
export async function readLogin(
  { username, passwordFile }: AllowedRegistry,
  image: ImageReference,
): Promise<Readonly<Record<string, string>>> {
  if (username === undefined || passwordFile === undefined) return {};
  let password: string;
  try {
    password = (await readFile(passwordFile, "utf8")).replace(/\r?\n$/, "");
  } catch (error) {
    throw failedPrecondition(
      "LOGIN_UNREADABLE",
      "",
      `the password for ${image.registry} cannot be read (${toldOf(error)}); look at passwordFile in the agent's registries setting`,
    );
  }
  const login = { username, password, serveraddress: image.registry };
  // With its padding: engines refuse or ignore what is without.
  const text = Buffer.from(JSON.stringify(login)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  return { "X-Registry-Auth": text };
}
