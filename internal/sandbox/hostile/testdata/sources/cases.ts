// expect: any
export default (a: any) => { switch (a) { <% repeat 3000 "case 1:" %> } };
