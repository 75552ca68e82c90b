/** Nothing: what loading a module costs whatever is in it. */
export {};
