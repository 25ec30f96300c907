import { z } from "zod";

const text = z.string().max(4096);
const texts = z.record(z.string(), z.string());

/** What the store keeps of an image beside its content. */
export const storedImageSchema = z.object({
  version: z.literal(1),
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/),
  uid: text.min(1),
  /** SHA-256 of the content, in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().min(0),
  virtualSizeBytes: z.number().int().min(0),
  format: text,
  architecture: text,
  origin: text,
  description: text,
  tags: z.array(text),
  labels: texts,
  annotations: texts,
  etag: text.min(1),
  changedBy: text,
  /** ISO 8601. */
  createTime: text,
  updateTime: text,
  verifyTime: text.optional(),
  /** Path of the file of the image that it is only the difference to. */
  backing: text.optional(),
  /** The import that made it: whoever lost its last answer asks again. */
  uploadKey: text,
});

/** An image of the store. */
export type StoredImage = z.output<typeof storedImageSchema>;
