/* The tabs, in their order. */
registerPage("service", "服务", boardTab("service"));
registerPage("customers", "客户", Customers);
registerPage("network", "电网", ({ app, query }) => html`<${Toolbar} query=${query} channels=${false}/><${Board} app=${app} name="network" query=${withoutChannel(query)}/>`);
registerPage("model", "模型", boardTab("model"));
registerPage("learning", "学习", Learning);
registerPage("offers", "推荐与活动", Offers);
registerPage("weekly", "周报", Weekly);
