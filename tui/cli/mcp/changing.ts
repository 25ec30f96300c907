import { z } from "zod";
import { alreadyExists } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { parseManifests, type Manifest } from "../apply/manifest.js";
import { referencesOf } from "../apply/order.js";
import { planStep } from "../apply/plan.js";
import { applyAll } from "../apply/run.js";
import { parseKind } from "../kinds.js";
import { parseNewName, resolveName } from "../resolve.js";
import type { Session } from "../session.js";
import { defineTool, type Tool } from "./tool.js";

const validate = z
  .boolean()
  .default(true)
  .describe("true: the hub and its hosts only check it and nothing is changed; do that first, then false");
const names = z.array(z.string().max(300)).min(1).max(50).describe("instances, as HOST/NAME or full names");

const verbs = [
  {
    name: "start_instances",
    does: "Start stopped instances.",
    destructive: false,
    method: InstanceServiceService.startInstance,
  },
  {
    name: "stop_instances",
    does: "End instances at once, as if their power were cut: what their guests have not written is lost.",
    destructive: true,
    method: InstanceServiceService.stopInstance,
  },
] as const;
const verbTimeoutMs = 60_000;

/** Tools that change things; the role of the context decides whether they may. */
export function changingTools(session: Session): readonly Tool[] {
  return [
    ...verbs.map(({ name, does, destructive, method }) =>
      defineTool({
        name,
        title: does.split(/[:.]/)[0] ?? does,
        description: does,
        input: { names, validate_only: validate },
        changes: { destructive },
        run: async ({ names: given, validate_only: validateOnly }) => {
          const instances = await Promise.all(given.map((text) => resolveName(session, kindNamed("instance"), text)));
          const results = [];
          for (const instance of new Set(instances)) {
            const request = { name: instance, requestId: crypto.randomUUID(), validateOnly };
            const { instance: after } = await session.call(method, request, verbTimeoutMs);
            results.push({
              name: instance,
              validateOnly,
              status: after === undefined ? undefined : Object(Instance.toJSON(after)).status,
            });
          }
          return { results };
        },
      }),
    ),
    defineTool({
      name: "create_resource",
      title: "Create a resource",
      description:
        "Create one resource from its fields, in proto3 JSON; see the tool explain. What exists already is refused.",
      input: {
        kind: z.string().max(64),
        name: z.string().max(300).describe("HOST/NAME, or NAME of what lives on the hub"),
        spec: z.record(z.string(), z.unknown()).describe("what it should be"),
        labels: z.record(z.string(), z.string()).default({}),
        validate_only: validate,
      },
      changes: { destructive: false },
      run: async ({ kind: word, name, spec, labels, validate_only: validateOnly }) => {
        const kind = parseKind(word, "create");
        const full = parseNewName(name, kind).name;
        const [manifest] = parseManifests("resource", JSON.stringify({ name: full, labels, spec }));
        if (manifest !== undefined && (await planStep(session, manifest)).outcome !== "created")
          throw alreadyExists(full);
        return await applied(session, manifest === undefined ? [] : [manifest], validateOnly);
      },
    }),
    defineTool({
      name: "apply_resources",
      title: "Apply resources",
      description:
        "Make resources what YAML or JSON documents say: each with kind, name (HOST/NAME), labels and spec. Those that are not there are created; of those that are, only what is named is changed. Nothing is deleted.",
      input: { manifests: z.string().min(1).max(200_000), validate_only: validate },
      changes: { destructive: true },
      run: async ({ manifests, validate_only: validateOnly }) =>
        await applied(session, parseManifests("manifests", manifests), validateOnly),
    }),
  ];
}

async function applied(session: Session, manifests: readonly Manifest[], validateOnly: boolean): Promise<object> {
  const options = { dryRun: validateOnly, wait: true };
  const done = await applyAll(session, manifests, referencesOf(manifests), options);
  return {
    validateOnly,
    resources: done.map(({ manifest, outcome, paths, note }) => ({ name: manifest.name, outcome, paths, note })),
  };
}
