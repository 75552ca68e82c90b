/** Who loads the files of this package: in a bundle they are all there. */
export function isLoadedByNode(): boolean {
  return true;
}
