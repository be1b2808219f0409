// The map as the server sends it.

/** Reads a packet of core/packet.py, `map_packet`. */
export function unpack(bytes) {
  const { buffer } = bytes.slice();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const { count } = header;
  const start = 4 + length;
  const wide = (i) => new Uint16Array(buffer, start + 2 * i * count, count);
  const [x, y, confidence] = [0, 1, 2].map(wide); // confidence in tenths of a percent
  const [labels, predictions] = [6, 7].map((i) => new Uint8Array(buffer, start + i * count, count));
  return { ...header, x, y, confidence, labels, predictions };
}
