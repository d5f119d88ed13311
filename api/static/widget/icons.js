/* Our own drawings. All take their colour from the text around them and are hidden from screen readers. */
const stroke = { fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round" };

const Icon = ({ name, children }) => html`
  <svg class=${"icon " + name} viewBox="0 0 24 24" aria-hidden="true" focusable="false" ...${stroke}>${children}</svg>`;

/* The mark: a speech bubble that holds a lamp's light. */
const Mark = () => html`
  <svg class="icon mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path fill="currentColor" d="M16 3C8.3 3 2 8.2 2 14.7c0 3.7 2 7 5.2 9.1L6 29l6-3.2c1.3.3 2.6.4 4 .4 7.7 0 14-5.2 14-11.6S23.7 3 16 3z"/>
    <path class="mark-inner" d="M17.5 7.5 10.5 16h4.3l-1 6 7.2-8.7h-4.4z"/>
  </svg>`;

const CloseIcon = () => html`<${Icon} name="close"><path d="M6 6l12 12M18 6L6 18"/><//>`;
const SendIcon = () => html`<${Icon} name="send"><path d="M4 12 20 4l-5.5 16-3.2-6.8z M11.3 13.2 20 4"/><//>`;
const PhotoIcon = () => html`
  <${Icon} name="photo-icon"><path d="M4 7h3l1.5-2.5h7L17 7h3a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1z"/><circle cx="12" cy="13" r="3.5"/><//>`;
const PersonIcon = () => html`
  <${Icon} name="person"><path d="M5 13v-1.5a7 7 0 0 1 14 0V13M5 12.5h2v5H6a2 2 0 0 1-2-2v-1.5a1.5 1.5 0 0 1 1-1.5zM19 12.5h-2v5h1a2 2 0 0 0 2-2v-1.5a1.5 1.5 0 0 0-1-1.5zM18 17.5c0 2-2 3-4.5 3"/><//>`;
const WarningIcon = () => html`<${Icon} name="warning"><path d="M12 3.5 2.5 20h19zM12 10v4.5M12 17.3v.2"/><//>`;
const DownIcon = () => html`<${Icon} name="down"><path d="M12 5v14M6 13l6 6 6-6"/><//>`;
const CopyIcon = () => html`<${Icon} name="copy"><path d="M9 9h10v11H9zM15 9V4H5v11h4"/><//>`;
