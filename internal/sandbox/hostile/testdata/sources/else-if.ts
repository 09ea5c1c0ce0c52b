// expect: any
export default (a: any) => { if (a) {} <% repeat 60000 "else if (a) {}" %> };
