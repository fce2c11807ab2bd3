// The reference of the HTTP interfaces, drawn by Swagger UI from our own document.
"use strict";

SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
