/**
 * A package that the application may have installed, or not. No bundler looks for it, since its name is no literal, and
 * the comments hush what some say of that.
 */
export const loadInstalled = (name: string): Promise<unknown> =>
  import(/* webpackIgnore: true */ /* @vite-ignore */ name);
