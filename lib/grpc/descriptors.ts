import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { fileDescriptorSetBase64 } from "../../proto/gen/descriptors.js";

let cached: { readonly files: readonly FileDescriptorProto[]; readonly registry: FileRegistry } | undefined;

/** Descriptors of all files under proto/, decoded when first asked for. */
export function descriptors(): { readonly files: readonly FileDescriptorProto[]; readonly registry: FileRegistry } {
  if (cached === undefined) {
    const set = fromBinary(FileDescriptorSetSchema, Buffer.from(fileDescriptorSetBase64, "base64"));
    cached = { files: set.file, registry: createFileRegistry(set) };
  }
  return cached;
}
