// One sheet for the shadow tree; a page themes it with --rc-* and ::part.
export const STYLE = `
:host { --_ink: var(--rc-ink, #1d2a30); --_soft: var(--rc-soft, #57676e); --_line: var(--rc-line, #c8d2d6); --_paper: var(--rc-paper, #fff); --_ground: var(--rc-ground, #f4f2ec);
  --_accent: var(--rc-accent, #0b5c72); --_on: var(--rc-on-accent, #fff); --_mark: var(--rc-mark, #fbe7a8); --_radius: var(--rc-radius, 10px);
  display: block; max-width: var(--rc-width, 42rem); font: var(--rc-font, 1.0625rem/1.55 system-ui, sans-serif); color: var(--_ink); text-align: start; }
:host([hidden]) { display: none; }
:host([theme="dark"]) { --_ink: var(--rc-ink, #e7ecee); --_soft: var(--rc-soft, #a9b8be); --_line: var(--rc-line, #3a4a52); --_paper: var(--rc-paper, #18242a); --_ground: var(--rc-ground, #10191d);
  --_accent: var(--rc-accent, #8fd3e8); --_on: var(--rc-on-accent, #10191d); --_mark: var(--rc-mark, #5b4a10); color-scheme: dark; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { --_ink: var(--rc-ink, #e7ecee); --_soft: var(--rc-soft, #a9b8be); --_line: var(--rc-line, #3a4a52); --_paper: var(--rc-paper, #18242a);
  --_ground: var(--rc-ground, #10191d); --_accent: var(--rc-accent, #8fd3e8); --_on: var(--rc-on-accent, #10191d); --_mark: var(--rc-mark, #5b4a10); color-scheme: dark; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
p, h2, label, summary, button, textarea { unicode-bidi: plaintext; overflow-wrap: anywhere; } /* each in the direction of its own words */
.card { display: flex; flex-direction: column; background: var(--_paper); border: 1px solid var(--_line); border-radius: var(--_radius); padding: clamp(1rem, 4vw, 2rem); }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 0 0 .5rem; }
p { margin: .3rem 0 .7rem; }
.soft { color: var(--_soft); font-size: .94em; }
label { display: block; font-weight: 600; margin: .8rem 0 .3rem; }
textarea { font: inherit; color: inherit; background: var(--_ground); border: 1px solid var(--_soft); border-radius: calc(var(--_radius) * .6); padding: .7rem .85rem; width: 100%; min-height: 11rem; resize: vertical; }
textarea.short { min-height: 5.5rem; }
:host([compact]) textarea { min-height: 6rem; }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
.row { display: flex; flex-wrap: wrap; gap: .55rem; align-items: center; margin: .9rem 0 0; }
button { font: inherit; font-weight: 500; border: 1px solid var(--_line); border-radius: calc(var(--_radius) * .6); padding: .5rem 1rem; min-height: 2.6rem; background: transparent; color: var(--_accent); cursor: pointer; }
button:hover { border-color: currentColor; }
button.main { background: var(--_accent); border-color: var(--_accent); color: var(--_on); font-weight: 600; }
button.last { margin-inline-start: auto; border-color: transparent; text-decoration: underline; text-underline-offset: .2em; }
button[aria-pressed="true"] { background: var(--_accent); color: var(--_on); }
button.finish { border-color: currentColor; font-weight: 600; }
.row .whole { flex: 1 0 100%; margin: 0; }
.quiet button { font-weight: 400; }
.ponder { margin: 1.1rem 0 0; }
.opener { width: 100%; display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem .8rem; text-align: start; border: 0; padding: .3rem 0; }
.card:has(.opener) { padding: .5rem 1.2rem; }
.opener span { font-weight: 400; }
button[disabled] { opacity: .55; cursor: default; }
.heard { color: var(--_soft); margin-bottom: 1.1rem; }
.question { font: 400 clamp(1.35rem, 3.6vw, 1.75rem)/1.35 var(--rc-question-font, ui-serif, Georgia, Cambria, "Times New Roman", serif); margin: 0 0 .6rem; text-wrap: balance; }
blockquote { margin: .9rem 0; padding-inline-start: .9rem; border-inline-start: 3px solid var(--_line); }
details { border-top: 1px solid var(--_line); margin-top: 1.1rem; padding-top: .7rem; }
summary { cursor: pointer; font-weight: 600; min-height: 1.6rem; }
.told { white-space: pre-wrap; max-height: 16rem; overflow: auto; position: relative; }
.who { border: 0; margin: 0 0 .2rem; padding: 0; font-size: .94em; color: var(--_soft); }
.who p { margin: .2rem 0 .4rem; }
textarea.all { flex: 1 0 18rem; }
a { color: var(--_accent); }
mark { background: var(--_mark); color: inherit; border-radius: 3px; padding: 0 .1em; }
.notice { border-inline-start: 4px solid var(--_accent); padding: .2rem .8rem; margin: 1rem 0 0; }
.notice:has(+ form) { margin: .6rem 0 0; }
.help { border: 2px solid var(--_ink); border-radius: var(--_radius); padding: .8rem 1.1rem; }
.cover { display: flex; gap: .9rem; align-items: center; margin-top: 1.3rem; }
.cover svg { width: 3.4rem; height: 3.4rem; flex: none; }
.cover circle { fill: none; stroke: var(--_line); }
.cover .touched { stroke: var(--_accent); }
.check { display: flex; gap: .55rem; align-items: center; font-weight: 400; margin: .8rem 0 0; }
.check + .soft { margin: .1rem 0 0; margin-inline-start: 1.8rem; }
.check input { width: 1.25rem; height: 1.25rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: no-preference) { .come { animation: come .35s ease-out; } @keyframes come { from { opacity: 0; transform: translateY(.4rem); } } }
@media (forced-colors: active) { button { border: 2px solid; } mark { outline: 2px solid; } .cover circle { stroke: GrayText; } .cover .touched { stroke: Highlight; } }
@media print { button, .cover, details { display: none; } .card { border: 0; padding: 0; } }
`;
