/** The version of this package, for those who read its output. */

/**
 * As in package.json, which a test holds it against. Not read from there: the bundles lie in different places, and a
 * file that is read at the first event is one more thing to fail.
 */
export const PACKAGE_VERSION = "0.1.0";
