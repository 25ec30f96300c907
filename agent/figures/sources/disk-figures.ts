import { Figure } from "../../../proto/gen/zor/v1/figures.js";

/** What is read and written of a disk, or of all disks of an instance: a second, and in all. */
export const diskUseFigures = [
  Figure.FIGURE_DISK_READ,
  Figure.FIGURE_DISK_WRITE,
  Figure.FIGURE_DISK_READ_OPS,
  Figure.FIGURE_DISK_WRITE_OPS,
  Figure.FIGURE_DISK_READ_TOTAL,
  Figure.FIGURE_DISK_WRITE_TOTAL,
  Figure.FIGURE_DISK_READ_OPS_TOTAL,
  Figure.FIGURE_DISK_WRITE_OPS_TOTAL,
] as const;
