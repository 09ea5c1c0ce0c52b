// expect: any
export default (a: any) => { switch (a) { <% repeat 10000 "case 1:" %> } };
