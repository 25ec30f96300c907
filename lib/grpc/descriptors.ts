import { create, createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { fileDescriptorSetBase64 } from "../../proto/gen/descriptors.js";

interface Descriptors {
  readonly files: readonly FileDescriptorProto[];
  readonly registry: FileRegistry;
}

const sets: string[] = [fileDescriptorSetBase64];
let cached: Descriptors | undefined;

/** Descriptors of all files under proto/, decoded when first asked for. */
export function descriptors(): Descriptors {
  if (cached === undefined) {
    const files = new Map<string, FileDescriptorProto>();
    for (const set of sets) {
      for (const file of fromBinary(FileDescriptorSetSchema, Buffer.from(set, "base64")).file) {
        if (!files.has(file.name)) files.set(file.name, file);
      }
    }
    const all = [...files.values()];
    cached = { files: all, registry: createFileRegistry(create(FileDescriptorSetSchema, { file: all })) };
  }
  return cached;
}

/** Adds a file descriptor set, base64, to those of this process; goes with `addKinds`. Files that are known stay as they are. */
export function addDescriptors(setBase64: string): void {
  sets.push(setBase64);
  cached = undefined;
}
