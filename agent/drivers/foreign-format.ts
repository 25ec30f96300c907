/** Formats that are neither qcow2 nor raw, and would run as a disk of garbage if they were taken for raw. */

/** A format that was recognised: what the image is and what to do about it; both complete "the image …". */
export interface ForeignFormat {
  readonly is: string;
  readonly remedy: string;
  /** It is what CD-ROM drives read. */
  readonly isMedium?: boolean;
}

/** Parts of a file that tell its format. */
export interface FileEnds {
  /** Its beginning, at least 40 KiB of it when it has as much. */
  readonly start: Buffer;
  /** Its end; begins at a multiple of 512 bytes of the file. */
  readonly end: Buffer;
}

interface Signature extends ForeignFormat {
  readonly matches: (ends: FileEnds) => boolean;
}

const convert = "convert it with: qemu-img convert -O qcow2";
const footerBytes = 512;

const signatures: readonly Signature[] = [
  packed("gzip", "gunzip", at(0, [0x1f, 0x8b])),
  packed("bzip2", "bunzip2", at(0, "BZh")),
  packed("xz", "unxz", at(0, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])),
  packed("Zstandard", "unzstd", at(0, [0x28, 0xb5, 0x2f, 0xfd])),
  packed("LZ4", "unlz4", at(0, [0x04, 0x22, 0x4d, 0x18])),
  packed("LZ4", "unlz4", at(0, [0x02, 0x21, 0x4c, 0x18])),
  packed("LZIP", "lzip -d", at(0, "LZIP")),
  packed("LZMA", "unlzma", at(0, [0x5d, 0x00, 0x00])),
  packed("LZO", "lzop -d", at(0, [0x89, 0x4c, 0x5a, 0x4f])),
  packed("compress", "uncompress", at(0, [0x1f, 0x9d])),
  { is: "a zip archive", remedy: "unpack it with unzip and name the disk inside", matches: at(0, "PK\x03\x04") },
  { is: "an empty zip archive", remedy: "download it again", matches: at(0, "PK\x05\x06") },
  { is: "a 7z archive", remedy: "unpack it with 7z x and name the disk inside", matches: at(0, "7z\xbc\xaf\x27\x1c") },
  { is: "a RAR archive", remedy: "unpack it and name the disk inside", matches: at(0, "Rar!\x1a\x07") },
  {
    is: "a tar archive, perhaps an OVA",
    remedy: "unpack it with tar x; a disk inside that is a VMDK becomes usable with: qemu-img convert -O qcow2",
    matches: at(257, "ustar"),
  },
  { is: "a cpio archive", remedy: "name a disk image", matches: ({ start }) => /^0707(01|02|07)/.test(text(start, 6)) },
  {
    is: "an ISO 9660 image of a CD or DVD",
    remedy: "put it into a CD-ROM drive, or name an installed disk, such as a distribution's cloud image in qcow2",
    isMedium: true,
    matches: (ends) => [0x8001, 0x8801, 0x9001].some((offset) => at(offset, "CD001")(ends)),
  },
  {
    is: "a UDF image of a DVD",
    remedy: "put it into a CD-ROM drive, or name an installed disk",
    isMedium: true,
    matches: (ends) => at(0x8001, "BEA01")(ends),
  },
  { is: "a VMDK image", remedy: convert, matches: at(0, "KDMV") },
  { is: "a VMDK image", remedy: convert, matches: at(0, "COWD") },
  { is: "a VMDK image", remedy: convert, matches: at(0, [0x44, 0x57, 0x4f, 0x43]) },
  {
    is: "a VMDK descriptor, whose data lie in other files",
    remedy: convert,
    matches: ({ start }) => /^\s*# Disk DescriptorFile/.test(text(start, 512)),
  },
  { is: "a VHDX image", remedy: convert, matches: at(0, "vhdxfile") },
  { is: "a VHD image", remedy: convert, matches: at(0, "conectix") },
  { is: "a VHD image of fixed size", remedy: convert, matches: hasVhdFooter },
  { is: "a VDI image", remedy: convert, matches: at(0x40, [0x7f, 0x10, 0xda, 0xbe]) },
  { is: "a VDI image", remedy: convert, matches: at(0, "<<< ") },
  { is: "a QED image", remedy: convert, matches: at(0, "QED\0") },
  { is: "a Parallels image", remedy: convert, matches: at(0, "WithoutFreeSpace") },
  { is: "a Parallels image", remedy: convert, matches: at(0, "WithouFreSpacExt") },
  { is: "a DMG image", remedy: convert, matches: hasDmgTrailer },
  { is: "a Windows image (WIM)", remedy: "name an installed disk", matches: at(0, "MSWIM\0\0\0") },
  { is: "an Android sparse image", remedy: "expand it with simg2img", matches: at(0, [0x3a, 0xff, 0x26, 0xed]) },
  { is: "encrypted with LUKS", remedy: "which is not supported", matches: at(0, "LUKS\xba\xbe") },
  { is: "a program, not a disk", remedy: "name a disk image", matches: at(0, "\x7fELF") },
  {
    is: "a pointer of Git LFS",
    remedy: "fetch the file itself with: git lfs pull",
    matches: at(0, "version https://git-lfs"),
  },
  {
    is: "an HTML page",
    remedy: "the download was answered with an error or a login; download it again",
    matches: ({ start }) =>
      /^\uFEFF?\s*(<!--[\s\S]*?-->\s*)*<(!doctype\s+html|html|head|body)\b/i.test(text(start, 4096, "utf8")),
  },
  {
    is: "an XML document",
    remedy: "the download was answered with something else; download it again",
    matches: ({ start }) => /^\uFEFF?\s*<\?xml\s/.test(text(start, 256, "utf8")),
  },
];

/** Recognises a format that no machine can have as a disk, also when something was added at the file's end; pure. */
export function findForeignFormat(ends: FileEnds): ForeignFormat | undefined {
  return signatures.find(({ matches }) => matches(ends));
}

function packed(name: string, tool: string, matches: Signature["matches"]): Signature {
  return { is: `compressed with ${name}`, remedy: `unpack it on the host with ${tool}, then name the result`, matches };
}

/** Whether the beginning has these bytes, given as numbers or as Latin-1 text, at an offset. */
function at(offset: number, magic: string | readonly number[]): Signature["matches"] {
  const bytes = typeof magic === "string" ? Buffer.from(magic, "latin1") : Buffer.from(magic);
  return ({ start }) => start.subarray(offset, offset + bytes.length).equals(bytes);
}

function text(start: Buffer, length: number, encoding: BufferEncoding = "latin1"): string {
  return start.toString(encoding, 0, length);
}

/** A fixed VHD is raw data and a footer (Microsoft's Virtual Hard Disk Image Format Specification): cookie, features, version 1.0. */
function hasVhdFooter({ end }: FileEnds): boolean {
  for (let offset = 0; offset + footerBytes <= end.length; offset += footerBytes) {
    if (end.toString("latin1", offset, offset + 8) === "conectix" && end.readUInt32BE(offset + 12) === 0x00010000)
      return true;
  }
  return false;
}

/** The trailer begins with "koly", its version 4 and its own size. */
function hasDmgTrailer({ end }: FileEnds): boolean {
  for (let offset = 0; offset + footerBytes <= end.length; offset += footerBytes) {
    if (end.toString("latin1", offset, offset + 4) === "koly" && end.readUInt32BE(offset + 8) === footerBytes)
      return true;
  }
  return false;
}
