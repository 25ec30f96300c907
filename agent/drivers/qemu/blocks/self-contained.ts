import { failedPrecondition } from "../../../../lib/errors.js";
import { asObject, textOf } from "../json.js";
import { allNodes, type BlockEngine } from "./block-engine.js";

/**
 * Looks that no image which a QEMU has open keeps its data in another file. Headers are read before QEMU opens them, but what lies on a share
 * may be rewritten in between; and QEMU follows what a qcow2 says there, unlike which file is below, of which it is told. To be called after
 * opening and before anything is read. @throws {ZorError} FAILED_PRECONDITION
 */
export async function assertSelfContained(engine: BlockEngine, resource: string): Promise<void> {
  for (const node of await allNodes(engine)) {
    const specific = asObject(asObject(node["image"])?.["format-specific"]);
    if (textOf(asObject(specific?.["data"]), "data-file") === "") continue;
    const message = `${resource}: one of its images names another file for its data since it was looked at; somebody else writes where it lies: find out who, and restore the image`;
    throw failedPrecondition("IMAGE_CHANGED", resource, message);
  }
}
