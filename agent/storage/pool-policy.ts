import { isAbsolute, normalize, sep } from "node:path";
import { z } from "zod";
import { invalidArgument, type ZorError } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";

const directory = z
  .string()
  .refine(
    (text) => isAbsolute(text) && normalize(text) === text && text !== "/",
    'expected an absolute path without "." and "..", and not the root directory',
  );
const word = (what: string) =>
  z.string().regex(/^[A-Za-z0-9_.+][A-Za-z0-9_.+-]{0,126}$/, `expected the name of a ${what}`);
const place = (what: string, example: string) =>
  z.string().regex(/^[\x21-\x7e]{1,1000}$/, `expected ${what}, such as "${example}"`);

/** A target whose logical units volumes may take: they are overwritten. */
const iscsiSchema = z
  .strictObject({
    iscsi: place("a portal", "10.0.0.1:3260"),
    target: z.string().regex(/^(iqn|eui|naa)\.[A-Za-z0-9:._-]{1,220}$/, "expected the name of a target"),
    luns: z.array(z.number().int().min(0).max(16_383)).min(1).max(4096),
    initiator: z
      .string()
      .regex(/^iqn\.[A-Za-z0-9:._-]{1,220}$/, 'expected a name such as "iqn.2001-04.com.example:host"')
      .optional(),
    user: z.string().min(1).max(256).optional(),
    passwordFile: z
      .string()
      .refine((text) => isAbsolute(text), "expected an absolute path")
      .optional(),
  })
  .refine(({ user, passwordFile }) => (user === undefined) === (passwordFile === undefined), {
    message: "user and passwordFile go together",
  });

/** A target as the agent's settings name it. */
export type AllowedTarget = z.output<typeof iscsiSchema>;

/** What pools may be made of, by the agent's setting storagePools: one entry each. */
export const allowedPoolSchema = z.union([
  z.strictObject({ directory }),
  z.strictObject({ volumeGroup: word("volume group") }),
  z.strictObject({ nfs: place("a server and its export", "server:/export") }),
  z.strictObject({ rbd: word("pool") }),
  iscsiSchema,
  z.strictObject({ gluster: place("a server and its volume", "server/volume") }),
]);

/** Something that pools may be made of. */
export type AllowedPool = z.output<typeof allowedPoolSchema>;
/** What an entry of the setting names. */
export type AllowedKind = "directory" | "volumeGroup" | "nfs" | "rbd" | "iscsi" | "gluster";

/** Everything of one kind that pools may be made of. */
export function allowedPlaces(policy: readonly AllowedPool[], kind: AllowedKind): readonly string[] {
  return policy.flatMap((each) => (kind in each ? [(each as Readonly<Record<string, string>>)[kind] ?? ""] : []));
}

/** The target that a pool may be made of; undefined: the settings have none such. */
export function findTarget(policy: readonly AllowedPool[], portal: string, target: string): AllowedTarget | undefined {
  return policy.find(
    (each): each is AllowedTarget => "iscsi" in each && each.iscsi === portal && each.target === target,
  );
}

/** Whether a directory is an allowed one, or in one; pure: the paths have no links and no "..". */
export function isAllowedDirectory(policy: readonly AllowedPool[], path: string): boolean {
  return allowedPlaces(policy, "directory").some((root) => path === root || path.startsWith(`${root}${sep}`));
}

/** That the agent's settings do not allow a pool of something. @param field "pool.spec.directory.path" */
export function notAllowed(field: string, kind: AllowedKind, place: string): ZorError {
  const entry = `- ${kind}: ${place}`;
  return invalidArgument(
    field,
    `${quote(place)} is nothing that pools may be made of on this host; add ${quote(entry)} to storagePools in the agent's settings, and restart the agent`,
  );
}
