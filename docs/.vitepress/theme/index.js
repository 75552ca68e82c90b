// @ts-check
/** The theme that comes with the generator, with colours that reach the contrast of WCAG 2.1 AA and tables that wrap. */
import DefaultTheme from "vitepress/theme";
import "./contrast.css";

export default DefaultTheme;
