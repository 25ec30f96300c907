/** How USB devices of the host are named: "046d:c52b", vendor and product, or "1-2.3", bus and ports. */
export const usbDevicePattern = /^(?:[0-9a-f]{4}:[0-9a-f]{4}|\d{1,3}-\d{1,2}(?:\.\d{1,2}){0,5})$/;
